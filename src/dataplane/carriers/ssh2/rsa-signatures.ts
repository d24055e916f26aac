// Which signature an RSA key makes, RFC 8332. ssh2 1.17.0 takes rsa-sha2-256 wherever the server names it, and some
// servers name (in server-sig-algs, RFC 8308) what their configuration then refuses. ssh takes the first of its own list.
import type { ResolvedOptions } from '../../../model/host.ts';
import { optionNames } from '../../../ssh/option-values.ts';

export interface Extension {
  readonly name: string;
  readonly algs?: readonly string[];
}

interface Protocol {
  readonly _handlers: { EXT_INFO?: (protocol: unknown, extensions: readonly Extension[]) => void };
}

/** ssh's own order where the configuration has none. */
const usual = ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'];

/** The server's algorithms with only the best of those for RSA left; unchanged where none of them is accepted here. */
function withOneRsa(algorithms: readonly string[], options: ResolvedOptions): string[] {
  const accepted = optionNames(options, 'pubkeyacceptedalgorithms');
  const order = accepted.length === 0 ? usual : accepted.filter((algorithm) => usual.includes(algorithm));
  const best = order.find((algorithm) => algorithms.includes(algorithm));
  return algorithms.filter((algorithm) => best === undefined || algorithm === best || !usual.includes(algorithm));
}

/** Call it right after ssh2's `connect`. */
export function chooseRsaSignature(protocol: Protocol, options: ResolvedOptions): void {
  const handlers = protocol._handlers;
  const take = handlers.EXT_INFO;
  handlers.EXT_INFO = (from, extensions) =>
    take?.(
      from,
      extensions.map((extension) =>
        extension.algs === undefined ? extension : { ...extension, algs: withOneRsa(extension.algs, options) },
      ),
    );
}
