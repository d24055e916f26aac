import type { Command } from 'commander';
import type { ForwardSpec } from '../../model/endpoint.ts';
import { parseForwardSpec } from '../../model/endpoint.ts';
import { SallyportError } from '../../model/errors.ts';

type SshKind = ForwardSpec['kind'];

/** A forwarding specification as typed, in the order of the command line. */
export interface TypedSpec {
  readonly kind: SshKind;
  readonly text: string;
}

/** Declares `-L`, `-R` and `-D`; what is typed lands in the list given back, mixed and repeated as it came. */
export function declareSpecs(command: Command): TypedSpec[] {
  const typed: TypedSpec[] = [];
  const take = (kind: SshKind) => (text: string) => {
    typed.push({ kind, text });
    return text;
  };
  command
    .option('-L, --local <spec>', 'listen here: [address:]port:host:hostport or /socket; repeatable', take('local'))
    .option('-R, --remote <spec>', 'listen at the far end: the same, or a port alone for SOCKS', take('remote'))
    .option('-D, --dynamic <spec>', 'SOCKS server here: [address:]port or /socket; repeatable', take('dynamic'));
  return typed;
}

/**
 * @param more words that follow without a flag of their own: further specifications of the one kind named
 * @throws SallyportError `usage`, `bad_spec`, `bad_value`
 */
export function readSpecs(typed: readonly TypedSpec[], more: readonly string[]): ForwardSpec[] {
  const kinds = new Set(typed.map(({ kind }) => kind));
  const [kind] = kinds;
  if (kind === undefined) {
    throw new SallyportError(
      'usage',
      'add: no forwarding specification',
      'name one with -L, -R or -D, as sallyport add --help shows',
    );
  }
  if (more.length > 0 && kinds.size > 1) {
    throw new SallyportError(
      'usage',
      `add: "${more[0]}" follows flags of several kinds`,
      'write -L, -R or -D before every specification',
    );
  }
  return [...typed, ...more.map((text) => ({ kind, text }))].map((spec) => parseForwardSpec(spec.kind, spec.text));
}
