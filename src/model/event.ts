export type EventLevel = 'debug' | 'info' | 'warn' | 'error';

/** Something worth telling, as `events --json` prints it. */
export interface EngineEvent {
  /** Place in the stream, from 1; not printed. */
  readonly seq: number;
  /** ISO time. */
  readonly at: string;
  readonly level: EventLevel;
  readonly forward: string | null;
  readonly code: string;
  readonly message: string;
}
