import type { Config, Forward, Settings } from './config.ts';
import { formatEndpoint, formatListen } from './endpoint.ts';
import type { Failure } from './errors.ts';
import type { Counters } from './flow.ts';
import { noCounters } from './flow.ts';
import type { LinkSpec, Prompt } from './host.ts';
import { isSshForward, triggerSets } from './kinds.ts';
import type { ForwardState, LinkStatus, ListenerStatus, ProbeStatus } from './state.ts';
import { deriveState } from './state.ts';

/** Ports a trigger has open now, for whom, and until when (ISO time) if nothing more happens. */
export interface Opening {
  readonly proto: 'tcp' | 'udp';
  readonly ports: string;
  readonly host: string;
  readonly expiresAt: string;
}

/** What a trigger has seen, newest last, bounded. */
export interface TriggerHistory {
  readonly at: string;
  readonly host: string;
  readonly what: 'opened' | 'refused' | 'closed' | 'taken_over';
  readonly why: string;
}

/** One forward in the snapshot: what is wanted (`config`), what is, and the last thing that went wrong. */
export interface ForwardEntry {
  readonly config: Forward;
  /** The link it runs over; null without SSH or before the host is resolved. */
  readonly link: string | null;
  readonly listener: ListenerStatus;
  readonly probe: ProbeStatus;
  readonly lastError: { readonly at: string; readonly failure: Failure } | null;
  readonly opened: readonly Opening[];
  readonly history: readonly TriggerHistory[];
  /** The last thing that was out of the ordinary about who connects. */
  readonly unusual?: { readonly at: string; readonly code: string; readonly message: string };
}

export interface LinkEntry {
  readonly spec: Pick<LinkSpec, 'id' | 'dest' | 'carrier' | 'why' | 'via'>;
  readonly status: LinkStatus;
}

/** The links from the outermost jump host's down to this one. */
export function linkChain(links: Snapshot['links'], link: string | null): string[] {
  const chain: string[] = [];
  for (let id = link; id !== null && !chain.includes(id); id = links[id]?.spec.via ?? null) chain.unshift(id);
  return chain;
}

/** How a link does as seen by what runs over it: while it waits for its jump host, that one's state is its own. */
function linkStatusSeen(links: Snapshot['links'], link: string | null): LinkStatus {
  const chain = linkChain(links, link).flatMap((id) => links[id] ?? []);
  const own = chain.at(-1)?.status ?? { is: 'idle' };
  if (own.is !== 'connecting') return own;
  const jump = chain.slice(0, -1).find(({ status }) => status.is !== 'up');
  if (jump === undefined) return own;
  const failed = (error: Failure): Failure => ({
    code: 'jump_failed',
    message: `the jump host ${jump.spec.dest} is not up: ${error.message}`,
    hint: error.hint,
  });
  const { status } = jump;
  if (status.is === 'waiting') return status;
  if (status.is === 'retrying') return { ...status, error: failed(status.error) };
  if (status.is === 'connecting' && status.after !== undefined) return { ...status, after: failed(status.after) };
  return own;
}

/** A standing remark about the machine or the engine, from the warning table. */
export interface Warning {
  readonly code: string;
  readonly level: 'low' | 'medium' | 'high';
  readonly message: string;
  readonly hint: string;
}

/** All the engine's state that anybody may look at; frozen, replaced as a whole, shared where unchanged. */
export interface Snapshot {
  readonly rev: number;
  readonly engine: {
    readonly pid: number;
    readonly version: string;
    readonly startedAt: string;
    readonly home: string;
    readonly hostname: string;
  };
  readonly settings: Settings;
  readonly sessions: Config['sessions'];
  /** Names in the config file's order. */
  readonly order: readonly string[];
  readonly forwards: Readonly<Record<string, ForwardEntry>>;
  readonly links: Readonly<Record<string, LinkEntry>>;
  readonly prompts: readonly Prompt[];
  readonly warnings: readonly Warning[];
  /** What `undo` would take back, in words; null when nothing. */
  readonly undo: string | null;
}

/** One forward as `ls --json` prints it. */
export interface ForwardView {
  readonly name: string;
  readonly kind: Forward['kind'];
  readonly session: string;
  readonly host: string | null;
  readonly via: string;
  readonly desired: 'up' | 'down';
  readonly state: ForwardState;
  readonly listen: string;
  readonly target: string | null;
  readonly rx: number;
  readonly tx: number;
  readonly rxRate: number;
  readonly txRate: number;
  readonly flows: number;
  readonly flowsTotal: number;
  readonly since: string | null;
  readonly nextTry: string | null;
  readonly error: Failure | null;
  readonly opened: readonly Opening[];
  readonly note: string;
}

const portSets = (sets: readonly { proto: string; ports: string }[]) =>
  sets.map(({ proto, ports }) => `${proto}/${ports}`).join(',');

/** Where a forward listens as configured; a bound listener's own word goes before this. */
export function configuredListen(forward: Forward): string {
  if (forward.kind === 'trigger') return portSets(forward.open);
  if (forward.kind !== 'mapping') return formatListen(forward.listen);
  const { address, port, last } = forward.listen;
  const host = address ?? (forward.via === 'relay' ? '127.0.0.1' : '0.0.0.0');
  const ports = last === undefined || last === port ? String(port) : `${port}-${last}`;
  return `${forward.proto}/${formatEndpoint({ host: host === '*' ? '0.0.0.0' : host, port: ports })}`;
}

/** Where a forward's flows end; null where each flow has its own target. */
export function configuredTarget(forward: Forward): string | null {
  switch (forward.kind) {
    case 'local':
      return formatEndpoint(forward.target);
    case 'remote':
      return forward.target === undefined ? null : formatEndpoint(forward.target);
    case 'dynamic':
      return null;
    case 'mapping': {
      const { listen, target } = forward;
      const span = (listen.last ?? listen.port) - listen.port;
      return formatEndpoint({
        host: target.host,
        port: span > 0 ? `${target.port}-${target.port + span}` : target.port,
      });
    }
    case 'trigger':
      return `on ${portSets(triggerSets(forward.on))}`;
  }
}

/** The public picture of one forward. */
export function viewForward(
  entry: ForwardEntry,
  links: Snapshot['links'],
  counters: Counters = noCounters,
): ForwardView {
  const { config, listener, link } = entry;
  const linkEntry = link === null ? null : (links[link] ?? null);
  const linkStatus: LinkStatus | null = isSshForward(config) ? linkStatusSeen(links, link) : null;
  const derived = deriveState(config.enabled, listener, linkStatus, entry.probe);
  return {
    name: config.name,
    kind: config.kind,
    session: config.session,
    host: isSshForward(config) ? config.host : null,
    via: isSshForward(config) ? (linkEntry?.spec.carrier ?? 'ssh2') : config.via,
    desired: config.enabled ? 'up' : 'down',
    state: derived.state,
    listen: listener.is === 'open' ? listener.at : configuredListen(config),
    target: configuredTarget(config),
    rx: counters.rx,
    tx: counters.tx,
    rxRate: counters.rxRate,
    txRate: counters.txRate,
    flows: counters.flows,
    flowsTotal: counters.flowsTotal,
    since: derived.since,
    nextTry: derived.nextTry,
    error: derived.error,
    opened: entry.opened,
    note: config.note ?? '',
  };
}
