// One link's configuration, read once.
import { SallyportError } from '../../../model/errors.ts';
import type { LinkSpec } from '../../../model/host.ts';
import { HostTrust } from '../../../ssh/host-trust.ts';
import { optionNumber, optionOn, optionSeconds, optionText, optionWords } from '../../../ssh/option-values.ts';
import { expandTokens, type TokenValues, tokenValues } from '../../../ssh/tokens.ts';
import type { LinkTimings } from '../../messages.ts';

export interface LinkSettings {
  readonly spec: LinkSpec;
  readonly values: TokenValues;
  readonly trust: HostTrust;
  readonly host: string;
  readonly port: number;
  readonly family: 0 | 4 | 6;
  readonly bindAddress: string;
  readonly tcpKeepAlive: boolean;
  /** Expanded; null for none. */
  readonly proxyCommand: string | null;
  /** For the connection and the handshake together. */
  readonly connectMs: number;
  /** Bytes and milliseconds after which new keys are negotiated; 0 leaves it to the server. */
  readonly rekey: { readonly bytes: number; readonly ms: number };
  readonly updateHostKeys: boolean;
  /** Name of the jump host, for messages. */
  readonly jump: string;
}

/** @throws SallyportError `host_config` or `unsupported` */
export function linkSettings(spec: LinkSpec): LinkSettings {
  const { options } = spec;
  const values = tokenValues(spec.dest, options);
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new SallyportError('host_config', `${spec.dest}: port ${values.port} is not one`, 'correct Port');
  }
  const family = optionText(options, 'addressfamily').toLowerCase();
  const proxy = optionText(options, 'proxycommand');
  const [bytes, seconds] = optionWords(options, 'rekeylimit').map(Number);
  return {
    spec,
    values,
    trust: new HostTrust(options, values),
    host: values.hostname,
    port,
    family: family === 'inet' ? 4 : family === 'inet6' ? 6 : 0,
    bindAddress: optionText(options, 'bindaddress'),
    tcpKeepAlive: optionOn(options, 'tcpkeepalive', true),
    proxyCommand: proxy === '' ? null : expandTokens(proxy, values),
    connectMs: optionSeconds(options, 'connecttimeout', 10) * 1000,
    rekey: { bytes: bytes || 0, ms: (seconds || 0) * 1000 },
    updateHostKeys: optionOn(options, 'updatehostkeys', false),
    jump: optionText(options, 'proxyjump').split(',').at(-1) ?? '',
  };
}

/** How often the peer is asked for life, and how many unanswered questions mean that it is dead. */
export function keepaliveOf({ options }: LinkSpec, timings: LinkTimings): { intervalMs: number; count: number } {
  const seconds = optionSeconds(options, 'serveraliveinterval', 0);
  if (seconds === 0) return { intervalMs: timings.keepaliveSeconds * 1000, count: Math.max(1, timings.keepaliveCount) };
  const count = optionNumber(options, 'serveralivecountmax', timings.keepaliveCount);
  return { intervalMs: seconds * 1000, count: Math.max(1, count) };
}
