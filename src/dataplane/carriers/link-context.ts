import type { EventLevel } from '../../model/event.ts';
import type { LinkSpec, Prompt, PromptAnswer } from '../../model/host.ts';
import type { LinkStatus } from '../../model/state.ts';
import type { LinkTimings } from '../messages.ts';
import type { Link } from './carrier.ts';

/** What a link needs from, and tells to, whoever keeps it. */
export interface LinkContext {
  /** As they are now: each connection asks when it is made. */
  timings(): LinkTimings;
  /** The link this one runs over (a jump host), or null. */
  readonly via: Link | null;
  report(status: LinkStatus): void;
  /** Asks a person; the answer comes by `answer`. */
  prompt(prompt: Prompt): void;
  /** The prompt was answered, or nobody needs it any more. */
  promptGone(id: string): void;
  note(level: EventLevel, code: string, message: string): void;
}

export interface ManagedLink extends Link {
  /** Tries a retrying or failed link again at once; does nothing where there is nothing to try. */
  retry(): void;
  /** An answer to a prompt that is not (or no longer) open is ignored. */
  answer(promptId: string, answer: PromptAnswer): void;
}

export type LinkFactory = (spec: LinkSpec, context: LinkContext) => ManagedLink;
