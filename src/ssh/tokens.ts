// The TOKENS and ENVIRONMENT VARIABLES sections of ssh_config(5).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { SallyportError } from '../model/errors.ts';
import type { ResolvedOptions } from '../model/host.ts';
import { optionText } from './option-values.ts';

export interface TokenValues {
  /** %n: the host as it was asked for. */
  readonly originalHost: string;
  /** %h */
  readonly hostname: string;
  /** %p */
  readonly port: string;
  /** %r */
  readonly user: string;
  /** %k: HostKeyAlias, else the host as it was asked for. */
  readonly keyAlias: string;
  /** %j */
  readonly jump: string;
  /** %u */
  readonly localUser: string;
  /** %l; %L is its first label. */
  readonly localHost: string;
  /** %d and `~` */
  readonly home: string;
  /** %i */
  readonly uid: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The host part of a destination: `user@host`, `ssh://user@host:port`, or a plain name. */
export function destinationHost(dest: string): string {
  const uri = /^ssh:\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)/.exec(dest);
  if (uri) return (uri[1] as string).replace(/^\[(.*)\]$/, '$1');
  return dest.slice(dest.lastIndexOf('@') + 1);
}

/** What the tokens stand for on this machine, for this destination. */
export function tokenValues(dest: string, options: ResolvedOptions, env = process.env): TokenValues {
  const me = os.userInfo();
  const originalHost = optionText(options, 'host') || destinationHost(dest);
  return {
    originalHost,
    hostname: optionText(options, 'hostname') || originalHost,
    port: optionText(options, 'port') || '22',
    user: optionText(options, 'user') || me.username,
    keyAlias: optionText(options, 'hostkeyalias') || originalHost,
    jump: optionText(options, 'proxyjump'),
    localUser: me.username,
    localHost: os.hostname(),
    home: env.HOME || me.homedir,
    uid: String(me.uid),
    env,
  };
}

function connectionHash(values: TokenValues): string {
  const { localHost, hostname, port, user, jump } = values;
  return createHash('sha1').update(`${localHost}${hostname}${port}${user}${jump}`).digest('hex');
}

/**
 * Replaces `%x` tokens.
 * @throws SallyportError `host_config` at a token that is not one
 */
export function expandTokens(text: string, values: TokenValues): string {
  return text.replace(/%(.?)/gs, (token, letter: string) => {
    switch (letter) {
      case '%':
        return '%';
      case 'C':
        return connectionHash(values);
      case 'd':
        return values.home;
      case 'h':
        return values.hostname;
      case 'i':
        return values.uid;
      case 'j':
        return values.jump;
      case 'k':
        return values.keyAlias;
      case 'L':
        return values.localHost.split('.')[0] as string;
      case 'l':
        return values.localHost;
      case 'n':
        return values.originalHost;
      case 'p':
        return values.port;
      case 'r':
        return values.user;
      case 'u':
        return values.localUser;
      default:
        throw new SallyportError(
          'host_config',
          `unknown token ${token} in ${JSON.stringify(text)}`,
          'see TOKENS in ssh_config(5)',
        );
    }
  });
}

function homeOf(user: string): string | null {
  try {
    for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
      const fields = line.split(':');
      if (fields[0] === user) return fields[5] ?? null;
    }
  } catch {}
  return null;
}

/**
 * A file name from the configuration as a path: tokens, `${VAR}`, then `~` and `~user`; a relative one is seen from
 * the working directory, as ssh does.
 * @throws SallyportError `host_config`
 */
export function expandPath(text: string, values: TokenValues): string {
  const withEnv = text.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    const value = values.env[name];
    if (value === undefined) {
      throw new SallyportError('host_config', `${text}: the environment variable ${name} is not set`);
    }
    // What a variable holds is not looked at for tokens again.
    return value.replaceAll('%', '%%');
  });
  const expanded = expandTokens(withEnv, values);
  const tilde = /^~([^/]*)(.*)$/s.exec(expanded);
  if (!tilde) return path.resolve(expanded);
  const [, user, rest] = tilde as unknown as [string, string, string];
  const home = user === '' ? values.home : homeOf(user);
  if (home === null) throw new SallyportError('host_config', `${text}: no user ${user} on this machine`);
  return path.join(home, rest);
}
