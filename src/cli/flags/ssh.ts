import type { Command } from 'commander';
import type { SshOverrides } from '../../model/config.ts';
import { SallyportError } from '../../model/errors.ts';
import { parseServicePort } from '../../model/services.ts';
import { parseSshOption } from '../../model/ssh-option.ts';
import { absolutePath, type Place } from '../paths.ts';
import { collect } from './common.ts';

/** ssh(1)'s own options, as typed. */
export interface SshFlags {
  /** `-C` */
  compression?: boolean;
  /** `-J` */
  jump?: string;
  /** `-i` */
  identity?: string[];
  /** `-p` */
  port?: string;
  /** `-l` */
  user?: string;
  /** `-F` */
  config?: string;
  /** `-o` */
  option?: string[];
}

export function declareSsh(command: Command): Command {
  return command
    .option('-C, --compression', 'compress')
    .option('-J, --jump <hosts>', 'jump hosts, with commas')
    .option('-i, --identity <key>', 'key file; repeatable', collect)
    .option('-p, --port <port>', 'port of the SSH server')
    .option('-l, --user <user>', 'user name there')
    .option('-F, --config <file>', 'ssh configuration instead of the usual ones; none: no file')
    .option('-o, --option <opt=val>', 'any ssh_config option, and carrier=ssh2|openssh; repeatable', collect);
}

/** @throws SallyportError `bad_value` */
export function sshFields(flags: SshFlags, place: Pick<Place, 'cwd' | 'userHome'>): SshOverrides {
  const { compression, jump, identity, port, user, config, option } = flags;
  const fields: SshOverrides = {};
  if (user !== undefined) fields.user = user;
  if (port !== undefined) fields.port = parseServicePort(port);
  if (jump !== undefined) fields.jump = jump;
  if (identity !== undefined) fields.identities = identity.map((file) => absolutePath(file, place));
  if (config !== undefined) fields.configFile = config === 'none' ? config : absolutePath(config, place);
  if (compression !== undefined) fields.compression = compression;
  if (option !== undefined) fields.options = option.map(parseSshOption);
  return fields;
}

/** A destination as ssh takes it; one that looks like an option is refused, it would become one. */
export function destination(text: string): string {
  if (text === '' || text.startsWith('-') || /[\s\u0000-\u001f\u007f]/.test(text)) {
    throw new SallyportError(
      'bad_value',
      `"${text}" is not a host`,
      'write it as HOST, USER@HOST or ssh://USER@HOST:PORT',
    );
  }
  return text;
}
