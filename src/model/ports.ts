import { SallyportError } from './errors.ts';

/** Ports from `first` to `last`, both included, 1 to 65535 (0 only where a free port is asked for). */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export type Transport = 'tcp' | 'udp';
export type Proto = Transport | 'both';

/**
 * Parses a decimal port.
 * @param zero whether 0 (any free port) may stand there
 * @throws SallyportError `bad_value`
 */
export function parsePort(text: string, { zero = false } = {}): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65_535) || (port === 0 && !zero)) {
    const why = /^\d+$/.test(text) ? 'is out of range' : 'is not a port';
    throw new SallyportError('bad_value', `port "${text}" ${why}`, `ports go from ${zero ? 0 : 1} to 65535`);
  }
  return port;
}

/**
 * Parses `113` or `6660-6669`.
 * @throws SallyportError `bad_value`
 */
export function parsePortRange(text: string): PortRange {
  const [head = '', tail, ...rest] = text.split('-');
  if (rest.length > 0) throw new SallyportError('bad_value', `"${text}" is not a port range`, 'write it as FIRST-LAST');
  const first = parsePort(head);
  const last = tail === undefined ? first : parsePort(tail);
  if (last < first) {
    throw new SallyportError('bad_value', `port range ${text} is upside down`, `write it as ${last}-${first}`);
  }
  return { first, last };
}

/** Parses `80,443,6660-6669` into its ranges, in order. */
export function parsePortList(text: string): PortRange[] {
  return text.split(',').map((part) => parsePortRange(part.trim()));
}

export function formatPortRange({ first, last }: PortRange): string {
  return first === last ? String(first) : `${first}-${last}`;
}

export function portCount({ first, last }: PortRange): number {
  return last - first + 1;
}

export function portsOverlap(a: PortRange, b: PortRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** The transports a protocol word stands for. */
export function transports(proto: Proto): readonly Transport[] {
  return proto === 'both' ? ['tcp', 'udp'] : [proto];
}
