// The way through a forward, part by part: who listens, what carries, over which hosts, to where; and where it breaks.
import { isSshForward } from '../model/kinds.ts';
import type { ForwardEntry, ForwardView, LinkEntry, Snapshot } from '../model/snapshot.ts';
import type { ForwardState, LinkStatus, ListenerStatus } from '../model/state.ts';

export interface PathPart {
  readonly what: string;
  readonly name: string;
  readonly state: ForwardState;
}

const listenerState = (enabled: boolean, listener: ListenerStatus): ForwardState => {
  if (!enabled) return 'off';
  switch (listener.is) {
    case 'open':
      return 'up';
    case 'failed':
      return 'failed';
    case 'retrying':
      return 'retrying';
    default:
      return 'starting';
  }
};

const linkState = (enabled: boolean, status: LinkStatus): ForwardState => {
  if (status.is === 'idle') return enabled ? 'starting' : 'off';
  return status.is === 'connecting' ? 'starting' : status.is;
};

/** The links from this one outwards: the last jump host first reached comes first. */
function chain(links: Snapshot['links'], id: string | null): LinkEntry[] {
  const out: LinkEntry[] = [];
  for (let at = id; at !== null && out.length < 10; ) {
    const link: LinkEntry | undefined = links[at];
    if (link === undefined) break;
    out.unshift(link);
    at = link.spec.via;
  }
  return out;
}

/** The parts in the order bytes sent by whoever connects pass them. */
export function pathOf(entry: ForwardEntry, view: ForwardView, links: Snapshot['links']): PathPart[] {
  const { config } = entry;
  const enabled = config.enabled;
  const own = listenerState(enabled, entry.listener);
  const end: ForwardState = !enabled
    ? 'off'
    : entry.probe === null
      ? view.state === 'up'
        ? 'up'
        : 'off'
      : entry.probe.ok
        ? 'up'
        : 'degraded';
  const target = view.target ?? 'wherever the client asks';
  if (!isSshForward(config)) {
    const opened = view.opened.map(({ host, ports }) => `${host}:${ports}`).join(', ');
    return [
      { what: config.kind === 'trigger' ? 'opens' : 'external', name: view.listen, state: own },
      { what: 'gateway', name: view.via, state: own },
      {
        what: config.kind === 'trigger' ? 'for' : 'internal',
        name: config.kind === 'trigger' ? opened || 'nobody now' : target,
        state: config.kind === 'trigger' && opened === '' ? 'off' : end,
      },
    ];
  }
  const hops = chain(links, entry.link).map(
    (link, i, all): PathPart => ({
      what: i === all.length - 1 ? link.spec.carrier : 'jump',
      name: link.spec.dest,
      state: linkState(enabled, link.status),
    }),
  );
  if (hops.length === 0) hops.push({ what: 'ssh', name: config.host, state: enabled ? 'starting' : 'off' });
  const listener: PathPart = { what: 'listens', name: view.listen, state: own };
  const last: PathPart = { what: 'target', name: target, state: end };
  return config.kind === 'remote'
    ? [{ ...listener, what: `on ${config.host}` }, ...hops.reverse(), last]
    : [listener, ...hops, last];
}
