// ssh_config(5) where there is no ssh to ask: what the ssh-config library can express, the rest refused by name.
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { SallyportError } from '../model/errors.ts';
import type { ResolvedOptions } from '../model/host.ts';
import { type ConfigLine, cannotExpress, readConfigLine } from './config-lines.ts';
import { includedFiles, maxIncludes } from './include.ts';
import { indifferentOptions, optionAliases, optionKinds } from './option-table.ts';
import { matchesPatterns } from './patterns.ts';
import { type HostRequest, sshArgs } from './request.ts';

const systemConfig = '/etc/ssh/ssh_config';

/**
 * Resolves a host by reading the configuration files.
 * @throws SallyportError `host_config` naming the option that needs a real ssh
 */
export function resolveWithoutSsh(request: HostRequest, { home }: { readonly home: string }): ResolvedOptions {
  const { user, host, port } = splitDestination(request.dest);
  const reading = new Reading(home, host);
  reading.commandLine(request);
  if (user !== null) reading.set('user', [user], 'the destination');
  if (port !== null) reading.set('port', [port], 'the destination');

  const { configFile } = request.overrides;
  const pass = () => {
    if (configFile !== undefined) {
      if (configFile.toLowerCase() !== 'none') reading.file(configFile, path.join(home, '.ssh'), true);
      return;
    }
    reading.file(path.join(home, '.ssh', 'config'), path.join(home, '.ssh'), false);
    reading.file(systemConfig, path.dirname(systemConfig), false);
  };
  pass();
  reading.settleHost();
  if (reading.wantsFinal) {
    reading.final = true;
    pass();
  }
  return reading.finish();
}

interface Destination {
  readonly user: string | null;
  readonly host: string;
  readonly port: string | null;
}

/** `user@host` or `ssh://user@host:port`, as ssh(1) takes them apart. */
function splitDestination(dest: string): Destination {
  const refused = () => new SallyportError('host_config', `"${dest}" is not a host`, 'write it as user@host');
  const uri = /^ssh:\/\/(?:([^@/]*)@)?(\[[^\]]+\]|[^:/@]+)(?::(\d+))?\/?$/i.exec(dest);
  if (/^ssh:\/\//i.test(dest) && uri === null) throw refused();
  const at = dest.lastIndexOf('@');
  const plain = { user: at < 0 ? null : dest.slice(0, at), host: dest.slice(at + 1), port: null };
  const parts =
    uri === null
      ? plain
      : {
          user: uri[1] === undefined ? null : decodeURIComponent(uri[1]),
          host: (uri[2] as string).replace(/^\[|\]$/g, ''),
          port: uri[3] ?? null,
        };
  if (parts.host === '' || parts.user === '' || /[\s;'"`$|&<>(){}\\]/.test(parts.host)) throw refused();
  return parts;
}

class Reading {
  wantsFinal = false;
  final = false;
  private readonly values = new Map<string, string | string[]>();
  private readonly home: string;
  private readonly original: string;
  private readonly localUser = os.userInfo().username;
  private host: string;

  constructor(home: string, host: string) {
    this.home = home;
    this.original = host;
    this.host = host;
  }

  commandLine({ overrides }: HostRequest): void {
    const args = sshArgs(overrides);
    for (let i = 0; i < args.length; i++) {
      const value = args[i + 1] as string;
      if (args[i] === '-C') {
        this.set('compression', ['yes'], '-C');
        continue;
      }
      i++;
      if (args[i - 1] === '-l') this.set('user', [value], '-l');
      if (args[i - 1] === '-p') this.set('port', [value], '-p');
      if (args[i - 1] === '-J') this.set('proxyjump', [value], '-J');
      if (args[i - 1] === '-i' && isReadable(value, this.home)) this.set('identityfile', [value], '-i');
      if (args[i - 1] === '-o') {
        const line = readConfigLine(value, 'command line');
        if (line !== null) this.line(line, { active: true, outer: true }, '', 0);
      }
    }
  }

  file(name: string, relativeTo: string, required: boolean, outer = true, depth = 0): void {
    if (depth > maxIncludes) throw cannotExpress('Include', name, 'includes itself too deep');
    let text: string;
    try {
      text = readFileSync(name, 'utf8');
    } catch (cause) {
      if (!required) return;
      throw new SallyportError('host_config', `cannot read the configuration file ${name}`, '', { cause });
    }
    const scope = { active: outer, outer };
    text.split('\n').forEach((raw, i) => {
      const line = readConfigLine(raw, `${name} line ${i + 1}`);
      if (line !== null) this.line(line, scope, relativeTo, depth);
    });
  }

  private line(
    line: ConfigLine,
    scope: { active: boolean; readonly outer: boolean },
    relativeTo: string,
    depth: number,
  ) {
    const { keyword, name, where } = line;
    if (keyword === 'host' || keyword === 'match') {
      if (line.doubt !== null) throw cannotExpress(name, where, line.doubt);
      const matched = keyword === 'host' ? matchesPatterns(line.words, this.host) : this.matches(line);
      scope.active = scope.outer && matched;
      return;
    }
    if (keyword === 'include') return this.include(line, scope.active, relativeTo, depth);
    const option = optionAliases[keyword] ?? keyword;
    if (!scope.active || indifferentOptions.has(option)) return;
    if (option === 'proxycommand') return this.command(line);
    if (option === 'canonicalizehostname' && /^(?:no|false)$/i.test(line.text)) return;
    if (line.doubt !== null) throw cannotExpress(name, where, line.doubt);
    this.set(option, line.words, where, name);
  }

  private include(line: ConfigLine, active: boolean, relativeTo: string, depth: number): void {
    if (!active && !this.wantsFinal) return;
    if (line.doubt !== null) throw cannotExpress(line.name, line.where, line.doubt);
    for (const pattern of line.words) {
      if (/%|\$\{|^~[^/]/.test(pattern)) throw cannotExpress(line.name, line.where, 'tokens need ssh itself');
      const found = includedFiles(pattern, relativeTo, this.home);
      for (const file of found) this.file(file, relativeTo, false, active, depth + 1);
    }
  }

  private command(line: ConfigLine): void {
    if (this.values.has('proxycommand') || this.values.has('proxyjump')) return;
    this.values.set('proxycommand', line.text);
  }

  /** Match of ssh_config(5): criteria are ANDed; every one that could change the answer must be understood. */
  private matches(line: ConfigLine): boolean {
    let result = true;
    const words = [...line.words];
    for (let word = words.shift(); word !== undefined; word = words.shift()) {
      const negated = word.startsWith('!');
      const criterion = word.slice(negated ? 1 : 0).toLowerCase();
      if (criterion === 'all') {
        if (negated) throw cannotExpress(line.name, line.where, '"!all" is not known');
        continue;
      }
      if (criterion === 'final' || criterion === 'canonical') {
        if (criterion === 'final') this.wantsFinal = true;
        if (this.final === negated) result = false;
        continue;
      }
      const value = words.shift();
      if (value === undefined) throw cannotExpress(line.name, line.where, `"${criterion}" has no value`);
      const subject = this.subject(criterion);
      if (subject === null) {
        if (!result) continue;
        throw cannotExpress(line.name, line.where, `"${criterion}" needs ssh itself`);
      }
      const hosts = criterion === 'host' || criterion === 'originalhost';
      const found = hosts
        ? matchesPatterns(value.toLowerCase().split(','), subject.toLowerCase())
        : matchesPatterns(value.split(','), subject);
      if (found === negated) result = false;
    }
    return result;
  }

  private subject(criterion: string): string | null {
    switch (criterion) {
      case 'host':
        return this.final ? this.host : this.resolvedName();
      case 'originalhost':
        return this.original;
      case 'user':
        return (this.values.get('user') as string | undefined) ?? this.localUser;
      case 'localuser':
        return this.localUser;
      default:
        return null;
    }
  }

  private resolvedName(): string {
    const name = this.values.get('hostname') as string | undefined;
    if (name === undefined) return this.host;
    return name.replace(/%(.?)/g, (_, token: string) => {
      if (token === 'h') return this.host;
      if (token === '%') return '%';
      throw cannotExpress('HostName', this.original, 'only the tokens %h and %% are known');
    });
  }

  set(option: string, words: readonly string[], where: string, name = option): void {
    if (option === 'proxyjump') {
      const jump = words.length === 1 ? printJump(words[0] as string) : null;
      if (jump === null) throw cannotExpress(name, where, 'is not a jump host');
      if (!this.values.has('proxycommand') && !this.values.has('proxyjump')) this.values.set('proxyjump', jump);
      return;
    }
    const kind = optionKinds[option];
    if (kind === undefined) throw cannotExpress(name, where, 'is not known without ssh');
    if (kind.repeats !== true && this.values.has(option)) return;
    const value = kind.print(words, this.home);
    if (value === null) throw cannotExpress(name, where, `"${words.join(' ')}" needs ssh itself`);
    if (kind.repeats !== true) {
      this.values.set(option, value);
      return;
    }
    const list = (this.values.get(option) as string[] | undefined) ?? [];
    if (!list.includes(value)) this.values.set(option, [...list, value]);
  }

  /** After the first pass `Host` and `Match host` look at the real name. */
  settleHost(): void {
    const name = this.resolvedName();
    this.host = /^[\d.]+$|:/.test(name) ? name : name.toLowerCase();
    this.values.set('hostname', this.host);
  }

  finish(): ResolvedOptions {
    const options: Record<string, string | readonly string[]> = { host: this.original };
    for (const [name, { initial }] of Object.entries(optionKinds)) {
      const value = this.values.get(name) ?? initial;
      if (value !== undefined && value !== '') options[name] = value;
    }
    for (const name of ['proxycommand', 'proxyjump']) {
      const value = this.values.get(name);
      if (value !== undefined && value !== 'none') options[name] = value;
    }
    options.user ??= this.localUser;
    options.hostname = this.host;
    // OpenSSH sets 300 s for a batch in some builds only, and learns new host keys only into the usual file
    if (options.serveraliveinterval === undefined && options.batchmode === 'no') options.serveraliveinterval = '0';
    if (options.userknownhostsfile === undefined) {
      options.userknownhostsfile = `${this.home}/.ssh/known_hosts ${this.home}/.ssh/known_hosts2`;
      if (options.verifyhostkeydns === 'false') options.updatehostkeys ??= 'true';
    } else options.updatehostkeys ??= 'false';
    const jump = options.proxyjump;
    if (typeof jump === 'string' && splitDestination(`ssh://${jump.split(',').at(-1)}`).host === this.original) {
      throw new SallyportError(
        'host_config',
        `jumphost loop via ${this.original}`,
        'set ProxyJump none for the jump host',
      );
    }
    return options;
  }
}

/** ProxyJump as `ssh -G` prints it: the hop next to the host without `ssh://`. */
function printJump(text: string): string | null {
  if (text.toLowerCase() === 'none') return 'none';
  const hops = text.split(',');
  const last = (hops.pop() as string).replace(/^ssh:\/\//i, '').replace(/\/$/, '');
  if (last === '' || hops.includes('') || /%|\$\{/.test(text)) return null;
  return [...hops, last].join(',');
}

function isReadable(file: string, home: string): boolean {
  try {
    readFileSync(file.startsWith('~/') ? path.join(home, file.slice(2)) : file);
    return true;
  } catch {
    return false;
  }
}
