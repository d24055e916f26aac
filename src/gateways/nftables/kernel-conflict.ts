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

const hints = {
  mapping: 'choose another external port, or say --force where that is meant',
  trigger: 'open another port, or name an address with --bind that the program does not listen on',
} as const;

/**
 * Whether a kernel mapping, or what a trigger opens, would take connections away from a program on this machine. Pure.
 * @returns the refusal, naming the program; null where nothing is in the way
 */
export function kernelConflict(
  rule: Pick<GatewayRule, 'proto' | 'external' | 'internal'>,
  listeners: readonly LocalListener[],
  kind: keyof typeof hints = 'mapping',
): SallyportError | null {
  const shadowed = listeners.find((listener) => shadows(rule, listener, listeners));
  if (shadowed === undefined) return null;
  const holder =
    shadowed.program === null
      ? 'another program'
      : `${shadowed.program}${shadowed.pid === null ? '' : ` (pid ${shadowed.pid})`}`;
  return new SallyportError(
    'port_taken',
    `${rule.proto} ${shadowed.port} is where ${holder} listens, and the ${kind} would shadow it`,
    hints[kind],
  );
}
