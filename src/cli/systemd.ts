// The engine as a systemd unit of the user, so that forwards come back after a boot.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { SallyportError } from '../model/errors.ts';
import type { Context } from './context.ts';
import { unitFile, unitName } from './unit.ts';

const execute = promisify(execFile);

/** A word of a unit file: quoted, and free of systemd's specifiers and variables. */
function word(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;
}

function unitText({ env, engineFile }: Pick<Context, 'env' | 'engineFile'>, node: string): string {
  const kept = ['SALLYPORT_HOME', 'SSH_AUTH_SOCK'].flatMap((name) => {
    const value = env[name] && path.resolve(env[name]);
    // The variable's value is taken literally here; only the specifiers need care.
    return value ? [`Environment="${`${name}=${value}`.replace(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`] : [];
  });
  return [
    '[Unit]',
    'Description=sallyport engine',
    'After=network.target',
    '',
    '[Service]',
    `ExecStart=${word(node)} ${word(engineFile)} run`,
    ...kept,
    'Restart=on-failure',
    'RestartSec=1',
    'KillMode=mixed',
    '',
    '[Install]',
    'WantedBy=default.target',
    '',
  ].join('\n');
}

async function systemctl(...words: string[]): Promise<void> {
  try {
    await execute('systemctl', ['--user', ...words], { timeout: 30_000 });
  } catch (cause) {
    const { stderr, code } = cause as { stderr?: string; code?: unknown };
    const why = stderr?.trim().split('\n')[0] || String(code);
    throw new SallyportError(
      'unsupported',
      `systemctl --user ${words.join(' ')}: ${why}`,
      'log in as this user with a session of its own, or start it from cron: @reboot sallyport engine start',
      { cause },
    );
  }
}

/**
 * @param makeRoom ends the engine that runs outside the unit
 * @throws SallyportError `unsupported` where there is no systemd for users; nothing is left behind then
 */
export async function installUnit(context: Context, makeRoom: () => Promise<void>): Promise<string[]> {
  try {
    await execute('systemctl', ['--version']);
  } catch (cause) {
    throw new SallyportError(
      'unsupported',
      'engine install: there is no systemd on this machine',
      'start it from cron instead: @reboot sallyport engine start',
      { cause },
    );
  }
  const file = unitFile(context);
  const existed = existsSync(file);
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, unitText(context, process.execPath), { mode: 0o600 });
  try {
    await systemctl('daemon-reload');
    if (!existed) await makeRoom();
    await systemctl('enable', '--now', unitName(context));
  } catch (error) {
    if (!existed) rmSync(file, { force: true });
    throw error;
  }
  return [`installed ${file}`, 'to run without a login: loginctl enable-linger'];
}

export async function uninstallUnit(context: Context): Promise<string[]> {
  const file = unitFile(context);
  if (!existsSync(file)) return [];
  await systemctl('disable', '--now', unitName(context)).catch((error: unknown) => {
    // Without systemd there is nothing to disable; the file still goes.
    if (!(error instanceof SallyportError && error.code === 'unsupported')) throw error;
  });
  rmSync(file, { force: true });
  await systemctl('daemon-reload').catch(() => {});
  return [`removed ${file}`];
}
