// The file of a Unix socket at the far end: sshd leaves it behind, and then cannot listen there again. It is removed by
// the system's sftp, over the master's connection.
import { execFile } from 'node:child_process';
import path from 'node:path';

/** Removes the file where it is a socket. @returns whether it is gone by that */
export type RemoveFarSocket = (file: string) => Promise<boolean>;

const timeoutMs = 5000;
/** What means itself between sftp's quotes. */
const plainPath = /^\/[\w./@%+=:,~ -]*$/;

/** @param ssh path of ssh(1), beside which sftp(1) lies */
export function farSocketRemover(ssh: string, controlPath: string): RemoveFarSocket {
  const sftp = (command: string) =>
    new Promise<string | null>((resolve) => {
      // Without the master there is nothing to be done: no connection of its own.
      const options = [`ControlPath=${controlPath}`, 'ControlMaster=no', 'ProxyCommand=false'];
      const args = ['-F', 'none', ...options.flatMap((option) => ['-o', option]), '-b', '-', 'x'];
      const program = path.join(path.dirname(ssh), 'sftp');
      const child = execFile(program, args, { timeout: timeoutMs }, (error, stdout) => resolve(error ? null : stdout));
      child.stdin?.on('error', () => {});
      child.stdin?.end(`${command}\n`);
    });
  return async (file) => {
    if (!plainPath.test(file)) return false;
    const listed = await sftp(`ls -ln "${file}"`);
    return listed !== null && /^s[rwx-]{9}/m.test(listed) && (await sftp(`rm "${file}"`)) !== null;
  };
}
