import { execFile } from 'node:child_process';

/** What a control command came to. */
export interface ControlResult {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

const timeoutMs = 20_000;

/** Runs one control command against a master: `forward` or `cancel`, `-L` or `-R`. */
export type Control = (command: 'forward' | 'cancel', kind: '-L' | '-R', spec: string) => Promise<ControlResult>;

/** @param socketPath the master's control socket; the user's configuration stays out, it may hold forwards of its own */
export function controlOf(ssh: string, socketPath: string): Control {
  return (command, kind, spec) =>
    new Promise((resolve) => {
      const args = ['-F', 'none', '-S', socketPath, '-O', command, kind, spec, 'x'];
      const child = execFile(ssh, args, { timeout: timeoutMs }, (error, stdout, stderr) =>
        resolve({ ok: error === null, stdout, stderr }),
      );
      child.stdin?.on('error', () => {});
      child.stdin?.end();
    });
}

/** A path inside a forwarding specification. */
export const specPath = (path: string) => path.replace(/[\\:]/g, '\\$&');

/** A host inside a forwarding specification; null for what could be read as something else. */
export function specHost(host: string): string | null {
  if (!/^[\w.:%-]+$/.test(host)) return null;
  return host.includes(':') ? `[${host}]` : host;
}
