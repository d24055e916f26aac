// A command line of ssh(1) as forwards.
import path from 'node:path';
import type { SshOverrides } from '../model/config.ts';
import { type ForwardSpec, parseForwardSpec } from '../model/endpoint.ts';
import { SallyportError } from '../model/errors.ts';
import { parseServicePort } from '../model/services.ts';

export interface ImportedCommand {
  readonly dest: string;
  readonly overrides: SshOverrides;
  readonly specs: readonly ForwardSpec[];
  /** Options without a meaning for a forward that is kept, as written. */
  readonly ignored: readonly string[];
}

const withValue = 'BbcDEeFIiJLlmOoPpQRSWw';
const alone = '1246AaCfGgKkMNnqsTtVvXxYy';
/** What may stand before the program's name and changes nothing about what it does. */
const launchers: ReadonlySet<string> = new Set(['command', 'env', 'exec', 'nohup', 'setsid']);
/** What a kept forward does by itself; nothing is lost without them. */
const implied = 'NfnTqaxv2';
/** What asks ssh for something else than a forward. */
const otherWork: Readonly<Record<string, string>> = {
  G: 'prints the configuration',
  O: 'speaks to a control master',
  Q: 'asks what ssh supports',
  s: 'runs a subsystem',
  V: 'prints the version',
  W: 'forwards standard input and output',
  w: 'makes a network device',
  '1': 'asks for protocol 1',
};
const asOption: Readonly<Record<string, string>> = {
  B: 'BindInterface',
  b: 'BindAddress',
  c: 'Ciphers',
  I: 'PKCS11Provider',
  m: 'MACs',
  P: 'Tag',
};
const flagAsOption: Readonly<Record<string, string>> = {
  '4': 'AddressFamily=inet',
  '6': 'AddressFamily=inet6',
  K: 'GSSAPIAuthentication=yes',
};
const forwardFlags = { L: 'local', R: 'remote', D: 'dynamic' } as const;
const forwardOptions: Readonly<Record<string, ForwardSpec['kind']>> = {
  localforward: 'local',
  remoteforward: 'remote',
  dynamicforward: 'dynamic',
};

const usage = (message: string, hint = 'give the command as it is run, like ssh -N -L 8080:web:80 host') =>
  new SallyportError('usage', message, hint);

/** Leaves off the program's name and what stands before it. autossh(1) takes the words of ssh and its own `-M PORT`. */
function afterProgram(words: readonly string[]): { rest: string[]; auto: boolean } {
  const rest = [...words];
  while (launchers.has(rest[0] ?? '') || /^[A-Za-z_]\w*=/.test(rest[0] ?? '')) rest.shift();
  const program = path.basename(rest[0] ?? '');
  const auto = program === 'autossh';
  if (auto || program === 'ssh') rest.shift();
  else if (rest[0] !== undefined && !rest[0].startsWith('-')) throw usage(`"${rest[0]}" is not ssh`);
  return { rest, auto };
}

interface Word {
  readonly letter: string;
  readonly value: string;
}

/** Takes the words apart as getopt(3) does: flags may be clustered, and a value may follow at once. */
function splitWords(words: readonly string[]): { dest: string; options: Word[] } {
  const options: Word[] = [];
  const { rest, auto } = afterProgram(words);
  let dest: string | null = null;
  while (rest.length > 0) {
    const word = rest.shift() as string;
    const ends = word === '--';
    if (!ends && word.startsWith('-') && word.length > 1) {
      readCluster(word, rest, auto, options);
      continue;
    }
    if (dest === null) {
      dest = ends ? (rest.shift() ?? null) : word;
      if (ends) break;
    } else {
      if (!ends) rest.unshift(word);
      break;
    }
  }
  if (dest === null || dest === '') throw usage('the ssh command names no host');
  if (rest.length > 0) {
    throw usage(
      `the ssh command runs "${rest.join(' ')}" on the host`,
      'only forwards can be imported: leave the remote command out',
    );
  }
  return { dest, options };
}

function readCluster(word: string, rest: string[], auto: boolean, options: Word[]): void {
  for (let i = 1; i < word.length; i++) {
    const letter = word[i] as string;
    const monitor = auto && letter === 'M';
    if (!monitor && alone.includes(letter)) {
      options.push({ letter, value: '' });
      continue;
    }
    if (!monitor && !withValue.includes(letter)) throw usage(`ssh has no option -${letter}`);
    const value = word.slice(i + 1) || rest.shift();
    if (value === undefined) throw usage(`-${letter} needs a value`);
    if (!monitor) options.push({ letter, value });
    return;
  }
}

/** A file as ssh, run in `cwd`, would find it; what ssh expands is left to it. */
const fileIn = (cwd: string, file: string) => (/^(?:%|\$\{|~|none$)/i.test(file) ? file : path.resolve(cwd, file));

/**
 * Reads `ssh -N -C -J a -L … b`, with or without the word ssh in front, or the same as given to autossh.
 * @param cwd what relative paths in it mean; none: they stay
 * @throws SallyportError `usage` where it does something else than forward, or isn't a command of ssh's;
 * `bad_spec`, `bad_value`
 */
export function parseSshCommand(words: readonly string[], cwd?: string): ImportedCommand {
  const fileOf = (file: string) => (cwd === undefined ? file : fileIn(cwd, file));
  const { dest, options } = splitWords(words);
  const overrides: SshOverrides = {};
  const specs: ForwardSpec[] = [];
  const ignored: string[] = [];
  const named: string[] = [];
  let gateway = false;
  for (const { letter, value } of options) {
    const other = otherWork[letter];
    if (other !== undefined) throw usage(`-${letter} ${other}, which is no forward`);
    if (letter in forwardFlags) specs.push(parseForwardSpec(forwardFlags[letter as keyof typeof forwardFlags], value));
    else if (letter in asOption) named.push(`${asOption[letter]}=${value}`);
    else if (letter in flagAsOption) named.push(flagAsOption[letter] as string);
    else if (letter === 'o') {
      const option = readOption(value);
      if ('spec' in option) specs.push(option.spec);
      else if (/^gatewayports=(?:yes|true)$/i.test(option.text)) gateway = true;
      else named.push(option.text);
    } else if (letter === 'C') overrides.compression = true;
    else if (letter === 'F') overrides.configFile = fileOf(value);
    else if (letter === 'g') gateway = true;
    else if (letter === 'i') overrides.identities = [...(overrides.identities ?? []), fileOf(value)];
    else if (letter === 'J') {
      if (overrides.jump !== undefined) throw usage('-J may stand once only', 'write several jump hosts with commas');
      overrides.jump = value;
    } else if (letter === 'l') overrides.user ??= value;
    else if (letter === 'p') overrides.port ??= parseServicePort(value);
    else if (!implied.includes(letter)) ignored.push(value === '' ? `-${letter}` : `-${letter} ${value}`);
  }
  if (named.length > 0) overrides.options = named;
  return { dest, overrides, specs: gateway ? specs.map(openToAll) : specs, ignored };
}

/** `-o` takes `Name=Value` and `Name Value`. */
function readOption(text: string): { text: string } | { spec: ForwardSpec } {
  const [, name = '', value = ''] = /^\s*([A-Za-z0-9]+)\s*(?:=|\s)\s*(.*?)\s*$/.exec(text) ?? [];
  if (name === '' || value === '')
    throw usage(`-o ${text}: not an option of ssh_config(5)`, 'the form is -o Name=Value');
  const kind = forwardOptions[name.toLowerCase()];
  if (kind === undefined) return { text: `${name}=${value}` };
  const words = (value.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replace(/^"(.*)"$/, '$1'));
  return { spec: parseForwardSpec(kind, words.join(':')) };
}

/** GatewayPorts: a listener here that names no address takes connections from everywhere. */
export function openToAll(spec: ForwardSpec): ForwardSpec {
  if (spec.kind === 'remote' || 'socket' in spec.listen || spec.listen.address !== undefined) return spec;
  return { ...spec, listen: { ...spec.listen, address: '*' } };
}
