import type { ListenerStatus } from '../../model/state.ts';
import type { Descriptors } from '../descriptors.ts';
import type { Notes } from '../notes.ts';
import type { PortHolder } from '../sockets/errors.ts';
import type { TriggerWatcher } from '../triggers.ts';
import type { Gate } from './gate.ts';

/** The present address of a device given by its MAC address; anything else is given back as it is. */
export type DeviceFinder = (host: string) => Promise<string>;

/** What a forward is given to run with. */
export interface ForwardContext {
  readonly gate: Gate;
  readonly notes: Notes;
  readonly triggers: Pick<TriggerWatcher, 'began'>;
  readonly descriptors: Descriptors;
  readonly holder: PortHolder;
  readonly device: DeviceFinder;
  status(status: ListenerStatus): void;
}

/** One running way through. */
export interface RunningForward {
  /**
   * Opens its listener and reports how that went; resolves once it is open, or is being tried again.
   * @throws SallyportError when it will not be tried again
   */
  start(signal: AbortSignal): Promise<void>;
  /** Lets go of listeners; flows go on. Can be called twice. */
  stop(): Promise<void>;
  /**
   * Tries the way through, without counting it as traffic. Null where there is nothing to try now.
   * @throws SallyportError why it doesn't get there
   */
  probe(signal: AbortSignal): Promise<void> | null;
}
