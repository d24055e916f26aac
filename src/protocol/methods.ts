// Every call a client can make of the engine: one table, imported by both ends.
import * as z from 'zod';
import type { Forward } from '../model/config.ts';
import type { Failure } from '../model/errors.ts';
import type { EngineEvent } from '../model/event.ts';
import type { Counters, Flow } from '../model/flow.ts';
import type {
  AuditReport,
  DayTotal,
  Device,
  HistorySeries,
  RouterReport,
  ScanRow,
  TriggerTrial,
} from '../model/reports.ts';
import { historyRanges } from '../model/reports.ts';
import type { ForwardView, LinkEntry, Opening, Snapshot } from '../model/snapshot.ts';

/** Raised when the meaning of a message changes. */
export const protocolVersion = 1;

const text = z.string();
const names = z.array(text);
/** Which forwards a command is about. */
const selection = z.union([z.object({ names }), z.object({ session: text }), z.object({ all: z.literal(true) })]);
export type Selection = z.infer<typeof selection>;

const overrides = z.object({
  user: text.optional(),
  port: z.int().optional(),
  jump: text.optional(),
  identities: names.optional(),
  configFile: text.optional(),
  compression: z.boolean().optional(),
  options: names.optional(),
});

export interface Hello {
  readonly build: string;
  readonly version: string;
  readonly protocol: number;
  readonly pid: number;
  /** Whether a service manager runs it, and starts the next one after a handover. */
  readonly supervised: boolean;
}

export interface EngineStatus {
  readonly pid: number;
  readonly version: string;
  /** Seconds. */
  readonly uptime: number;
  readonly home: string;
  readonly socket: string;
  /** Forwards by state. */
  readonly forwards: Readonly<Record<string, number>>;
  /** Bytes. */
  readonly rss: number;
}

/** What a forward not yet made would meet and do; for the form and `--dry-run`. */
export interface Preview {
  /** Why it would be refused, or null. */
  readonly refusal: Failure | null;
  readonly warnings: readonly string[];
  /** What would be done, in the words of ssh, nft or the router protocol. */
  readonly actions: readonly string[];
}

export interface ImportPlan {
  readonly add: readonly Forward[];
  readonly change: readonly { readonly name: string; readonly what: readonly string[] }[];
  readonly same: readonly string[];
  readonly skipped: readonly { readonly what: string; readonly why: string }[];
}

/** A host as `host DEST --json` prints it: the options of `ssh -G`, plus `carrier` and `why`. */
export type HostReport = Readonly<Record<string, string | readonly string[]>>;

/** The state a watcher starts from, and its place in the event stream, taken in one step. */
export interface WatchStart {
  readonly snapshot: Snapshot;
  readonly counters: Readonly<Record<string, Counters>>;
  readonly eventSeq: number;
}

/** A call's parameters as a schema, and the type of its answer. */
const method =
  <Result>() =>
  <Params extends z.ZodType>(params: Params) =>
    ({ params }) as { readonly params: Params; readonly result: Result };
const none = z.object({});
const one = z.object({ name: text });

export const methods = {
  hello: method<Hello>()(z.object({ build: text })),
  status: method<EngineStatus>()(none),
  /** `handover`: another build takes over at once, so kernel rules and leases stay. */
  stop: method<null>()(z.object({ handover: z.boolean().default(false) })),
  watch: method<WatchStart>()(none),
  unwatch: method<null>()(none),

  list: method<ForwardView[]>()(none),
  show: method<{ view: ForwardView; config: Forward }>()(one),
  /** Adds all or none. With `up` they are started, not waited for: `settle` does that. */
  add: method<string[]>()(z.object({ forwards: z.array(z.unknown()), up: z.boolean().default(false) })),
  /** Replaces the named top-level keys; null takes a key away. A nested `ssh` is merged key by key. */
  edit: method<ForwardView>()(z.object({ name: text, patch: z.record(text, z.unknown()) })),
  /** Moves all or none to a session, which is made where there is none. */
  move: method<null>()(z.object({ names, session: text })),
  up: method<string[]>()(selection),
  down: method<string[]>()(selection),
  restart: method<string[]>()(selection),
  remove: method<string[]>()(selection),
  /** Answers once none of the forwards is on its way any more, or after `timeoutMs`. */
  settle: method<ForwardView[]>()(z.object({ names, timeoutMs: z.number() })),
  undo: method<{ undone: string }>()(none),
  preview: method<Preview>()(z.object({ forward: z.unknown(), replacing: text.optional() })),

  saveSession: method<null>()(z.object({ name: text, note: text.optional(), rename: text.optional() })),
  removeSession: method<null>()(one),
  saveSettings: method<null>()(z.object({ patch: z.record(text, z.unknown()) })),

  flows: method<Flow[]>()(z.object({ forward: text.optional() })),
  kill: method<null>()(z.object({ flow: text })),
  events: method<EngineEvent[]>()(z.object({ forward: text.optional(), limit: z.int().default(1000) })),
  /** Samples of both directions; `forward` left out: all together. */
  history: method<HistorySeries>()(z.object({ forward: text.optional(), range: z.enum(historyRanges) })),

  /** Bytes of each day, oldest first, over restarts; `forward` left out: all together. */
  days: method<DayTotal[]>()(z.object({ forward: text.optional() })),

  hosts: method<LinkEntry[]>()(none),
  host: method<HostReport>()(z.object({ dest: text, overrides: overrides.default({}) })),
  answer: method<null>()(
    z.object({
      prompt: text,
      answer: z.union([
        z.object({ answers: names, remember: z.enum(['once', 'engine']) }),
        z.object({ hostKey: text }),
      ]),
    }),
  ),

  openTrigger: method<Opening[]>()(z.object({ name: text, host: text, forMs: z.number().optional() })),
  closeTrigger: method<null>()(one),
  tryTrigger: method<TriggerTrial>()(z.object({ name: text, host: text })),

  devices: method<Device[]>()(none),
  router: method<RouterReport>()(none),
  routerDelete: method<null>()(z.object({ proto: z.enum(['tcp', 'udp']), external: z.int() })),
  audit: method<AuditReport>()(none),
  scan: method<ScanRow[]>()(none),
  /** `ssh-config`: a file in ssh_config(5) syntax; `sallyport`: what `export` prints; `ssh`: a command line's words. */
  import: method<ImportPlan>()(
    z.object({
      from: z.enum(['ssh-config', 'sallyport', 'ssh']),
      file: text.optional(),
      text: text.optional(),
      args: names.optional(),
      /** Where the ssh command line was written: what its relative paths mean. */
      cwd: text.optional(),
      dryRun: z.boolean().default(false),
    }),
  ),
} as const;

export type Methods = typeof methods;
export type MethodName = keyof Methods;
export type Params<M extends MethodName> = z.input<Methods[M]['params']>;
export type CheckedParams<M extends MethodName> = z.output<Methods[M]['params']>;
export type Result<M extends MethodName> = Methods[M]['result'];
