import type { Command } from 'commander';
import type { Forward, ForwardSchema } from '../../model/config.ts';
import { someTime } from '../../model/duration.ts';
import type { ForwardSpec } from '../../model/endpoint.ts';
import { SallyportError } from '../../model/errors.ts';
import { checked } from '../checked.ts';
import { type CommonFlags, commonFields, declareCommon, waitMs, withoutNulls } from '../flags/common.ts';
import { declareSpecs, readSpecs, type TypedSpec } from '../flags/specs.ts';
import { declareSsh, destination, type SshFlags, sshFields } from '../flags/ssh.ts';
import { absolutePath, type Place } from '../paths.ts';

/** What any of `add`, `map` and `trigger` asks for. */
export interface NewForwards {
  readonly forwards: readonly Forward[];
  readonly up: boolean;
  readonly waitMs: number;
  readonly json: boolean;
}

export interface AddFlags extends CommonFlags, SshFlags {
  /** `--login` */
  login?: string;
  probe?: string;
}

/** Declares the words of `add`; the specifications typed land in the list given back. */
export function declareAdd(command: Command): TypedSpec[] {
  command
    .argument('<name>', 'name of the forward')
    .argument('<dest>', 'SSH host, as ssh takes it')
    .argument('[spec...]', 'more specifications of the same kind');
  const typed = declareSpecs(command);
  declareSsh(command);
  declareOverSsh(command);
  declareCommon(command);
  return typed;
}

/** The flags only a forward over SSH has. */
export function declareOverSsh(command: Command): Command {
  return command
    .option('--login <user:file>', '-D: user, and file with the password, a SOCKS client must give')
    .option('--probe <duration>', 'how often a connection through it is tried; off: never');
}

export function readAdd(
  words: { name: string; dest: string; more: readonly string[]; typed: readonly TypedSpec[] },
  flags: AddFlags,
  place: Place,
  schema: ForwardSchema,
): NewForwards {
  const specs = readSpecs(words.typed, words.more);
  const common = withoutNulls(commonFields(flags, place));
  const ssh = sshFields(flags, place);
  if (flags.login !== undefined && specs.some(({ kind }) => kind !== 'dynamic')) {
    throw new SallyportError('usage', 'add: --login is for -D', 'leave it out, or add the -D forward by itself');
  }
  const shared = {
    ...common,
    host: destination(words.dest),
    ...(Object.keys(ssh).length > 0 && { ssh }),
    ...(flags.probe !== undefined && { probe: readProbe(flags.probe) }),
    ...(flags.login !== undefined && { login: readLogin(flags.login, place) }),
  };
  const forwards = specs.map((spec, i) =>
    checked(
      schema,
      { name: specs.length === 1 ? words.name : `${words.name}-${i + 1}`, ...specFields(spec), ...shared },
      'sallyport add --help',
    ),
  );
  return { forwards, up: flags.up === true, waitMs: waitMs(flags.wait, 15), json: flags.json === true };
}

/** What a specification alone says. */
function specFields({ kind, listen, target }: ForwardSpec) {
  return { kind, listen, ...(target !== null && { target }) };
}

export function readProbe(text: string): string | false {
  return text === 'off' ? false : someTime(text);
}

/** `USER:FILE` of `--login`. */
export function readLogin(text: string, place: Place) {
  const colon = text.indexOf(':');
  const [user, file] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 1 || file === '') {
    throw new SallyportError(
      'bad_value',
      `--login "${text}": not USER:FILE`,
      'the file holds the password, as --login ops:~/.socks-password',
    );
  }
  return { user, passwordFile: absolutePath(file, place) };
}
