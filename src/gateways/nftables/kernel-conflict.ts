import { SallyportError } from '../../model/errors.ts';
import type { Transport } from '../../model/ports.ts';
import { shadows } from '../../model/shadow.ts';
import type { GatewayRule } from '../gateway.ts';

/** A socket some program of this machine listens on. */
export interface LocalListener {
  readonly proto: Transport;
  /** As bound; `0.0.0.0`, `::` and `*` are every address. */
  readonly address: string;
  readonly port: number;
  readonly program: string | null;
  readonly pid: number | null;
}

/**
 * Whether a kernel mapping would take connections away from a program on this machine. Pure.
 * @returns the refusal, naming the program; null where nothing is in the way
 */
export function kernelConflict(
  rule: Pick<GatewayRule, 'proto' | 'external' | 'internal'>,
  listeners: readonly LocalListener[],
): SallyportError | null {
  const shadowed = listeners.find((listener) => shadows(rule, listener, listeners));
  if (shadowed === undefined) return null;
  const holder =
    shadowed.program === null
      ? 'another program'
      : `${shadowed.program}${shadowed.pid === null ? '' : ` (pid ${shadowed.pid})`}`;
  return new SallyportError(
    'port_taken',
    `${rule.proto} ${shadowed.port} is where ${holder} listens, and the mapping would shadow it`,
    'choose another external port, or say --force where that is meant',
  );
}
