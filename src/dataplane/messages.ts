// Commands from the control thread to a worker, events back: plain data both ways, no payload byte among them.
import type { Forward, PortSet } from '../model/config.ts';
import type { EventLevel } from '../model/event.ts';
import type { RawFlow } from '../model/flow.ts';
import type { LinkSpec, Prompt, PromptAnswer } from '../model/host.ts';
import type { LinkStatus, ListenerStatus, ProbeStatus } from '../model/state.ts';

/** How SSH connections are kept alive. */
export interface LinkTimings {
  /** Used where the ssh configuration sets no ServerAliveInterval. */
  readonly keepaliveSeconds: number;
  readonly keepaliveCount: number;
}

/** Until a worker is told others. */
export const usualTimings: LinkTimings = { keepaliveSeconds: 5, keepaliveCount: 3 };

/** A trigger as the data plane watches for it: which flows count as the outbound call. */
export interface TriggerWatch {
  readonly name: string;
  readonly on: readonly PortSet[];
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** What a worker runs. `forward` is any kind but `trigger`, and a mapping only `via` relay. */
export interface Runnable {
  /** Identity of this run: the forward's name, or for a way a trigger opened `NAME/open/N`. */
  readonly id: string;
  readonly forward: Exclude<Forward, { kind: 'trigger' }>;
  /** The link it runs over; null for a relay. */
  readonly link: string | null;
  /** Laid out by counters.ts. */
  readonly counters: SharedArrayBuffer;
  /** Milliseconds between probes; null for none. */
  readonly probeMs: number | null;
}

export type Command =
  /** Defines or redefines a link. It connects when the first runnable that needs it starts, and idles after the last. */
  | { readonly do: 'link'; readonly spec: LinkSpec }
  /** Counts for every connection made from then on. */
  | { readonly do: 'timings'; readonly timings: LinkTimings }
  | { readonly do: 'start'; readonly runnable: Runnable }
  | { readonly do: 'stop'; readonly id: string; readonly cutFlows: boolean }
  /** Try a retrying or failed link again now. */
  | { readonly do: 'retry'; readonly link: string }
  | { readonly do: 'answer'; readonly prompt: string; readonly answer: PromptAnswer }
  | { readonly do: 'triggers'; readonly watches: readonly TriggerWatch[] }
  | { readonly do: 'flows'; readonly request: number; readonly forward: string | null }
  | { readonly do: 'kill'; readonly request: number; readonly flow: string }
  /** Close every listener and flow, take down every link, then answer `bye`. */
  | { readonly do: 'shutdown' };

export type WorkerEvent =
  | { readonly on: 'listener'; readonly id: string; readonly status: ListenerStatus }
  | { readonly on: 'link'; readonly id: string; readonly status: LinkStatus }
  | { readonly on: 'probe'; readonly id: string; readonly status: ProbeStatus }
  | { readonly on: 'prompt'; readonly prompt: Prompt }
  /** The prompt was answered, or nobody needs it any more. */
  | { readonly on: 'prompt_gone'; readonly prompt: string }
  /** For the event log. */
  | {
      readonly on: 'note';
      readonly level: EventLevel;
      readonly forward: string | null;
      readonly code: string;
      readonly message: string;
    }
  /** A host called out on a trigger's port: at most one a second for each trigger and host, `count` flows merged in it. */
  | {
      readonly on: 'call';
      readonly trigger: string;
      /** Address of the host that made the flow. */
      readonly host: string;
      readonly proto: 'tcp' | 'udp';
      readonly port: number;
      readonly count: number;
      /** Link the flow went over; null for a relay. */
      readonly link: string | null;
      /** True for the periodic word that flows which called earlier still move bytes. */
      readonly still: boolean;
    }
  | { readonly on: 'flows'; readonly request: number; readonly flows: readonly RawFlow[] }
  | { readonly on: 'killed'; readonly request: number; readonly found: boolean }
  | { readonly on: 'stopped'; readonly id: string }
  | { readonly on: 'bye' };
