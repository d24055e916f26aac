import type { SshOverrides } from '../model/config.ts';
import { SallyportError } from '../model/errors.ts';
import type { SshCarrier } from '../model/host.ts';

/** A destination as ssh(1) takes it, with what its options would say. */
export interface HostRequest {
  readonly dest: string;
  readonly overrides: SshOverrides;
}

const carrierOption = /^\s*carrier\s*[=\s]\s*"?([^"\s]*)"?\s*$/i;

/**
 * The carrier asked for by the option `carrier=ssh2|openssh`, which is ours alone and never reaches ssh.
 * @throws SallyportError `bad_value`
 */
export function wantedCarrier(overrides: SshOverrides): SshCarrier | null {
  for (const option of overrides.options ?? []) {
    const value = carrierOption.exec(option)?.[1];
    if (value === undefined) continue;
    if (value !== 'ssh2' && value !== 'openssh') {
      throw new SallyportError('bad_value', `carrier "${value}" does not exist`, 'use carrier=ssh2 or carrier=openssh');
    }
    return value;
  }
  return null;
}

/** The arguments ssh(1) would be given for these overrides, without the destination. */
export function sshArgs(overrides: SshOverrides): string[] {
  const args: string[] = [];
  if (overrides.configFile !== undefined) args.push('-F', overrides.configFile);
  if (overrides.user !== undefined) args.push('-l', overrides.user);
  if (overrides.port !== undefined) args.push('-p', String(overrides.port));
  if (overrides.jump !== undefined) args.push('-J', overrides.jump);
  for (const identity of overrides.identities ?? []) args.push('-i', identity);
  if (overrides.compression === true) args.push('-C');
  if (overrides.compression === false) args.push('-o', 'Compression=no');
  for (const option of overrides.options ?? []) if (!carrierOption.test(option)) args.push('-o', option);
  return args;
}

/**
 * The destination as handed to ssh: `[v6]` loses its brackets, which ssh takes inside `ssh://` only.
 * @throws SallyportError `host_config` for what could be read as an option
 */
export function sshDestination(dest: string): string {
  if (dest === '' || dest.startsWith('-') || /[\u0000-\u001f\u007f]/.test(dest)) {
    throw new SallyportError(
      'host_config',
      dest === '' ? 'the host is empty' : `"${dest.replace(/[\u0000-\u001f\u007f]/g, '?')}" is not a host`,
      'write it as host, user@host, ssh://user@host:port or an alias of your ssh configuration',
    );
  }
  return dest.replace(/^((?:.*@)?)\[([0-9A-Fa-f:.%\w]*:[^\]]*)\]$/, '$1$2');
}
