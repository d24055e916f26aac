// The ways a call of the engine's own flows can open: a relay here, a rule in the kernel, a lease on the router with a
// relay behind it, or a remote forward on the SSH server the call went over.
import type { GatewayRule } from '../../gateways/gateway.ts';
import { isOwnAddress, lanAddress } from '../../machine/interfaces.ts';
import { addressReach, takesAt } from '../../model/cidr.ts';
import type { Trigger } from '../../model/config.ts';
import { type Failure, SallyportError } from '../../model/errors.ts';
import type { ListenerStatus } from '../../model/state.ts';
import type { RunRequest, Runs } from '../runs.ts';
import { gateRule, type OpenRange, openRanges } from './rules.ts';

export interface WaysOptions {
  readonly runs: Runs;
  readonly setRules: (owner: string, via: 'nftables' | 'router', rules: readonly GatewayRule[]) => void;
  /** Destination of a link; null when it is not known. */
  readonly linkDest: (link: string) => string | null;
}

/** What is open for one host. */
export interface Way {
  readonly host: string;
  readonly ranges: readonly OpenRange[];
  /** What runs in the data plane for it, by id: the range it is for, and why it is not open, where it was or should be. */
  readonly runs: Map<string, { readonly range: OpenRange; was: 'new' | 'open'; down: Failure | null }>;
  /** Why the gateway has none of it open. */
  gateDown: Failure | null;
  closed: boolean;
}

/** The ranges of a way that are open, or about to be. */
export const openIn = ({ ranges, runs, gateDown }: Way): OpenRange[] =>
  gateDown !== null
    ? []
    : ranges.filter((range) => {
        const mine = [...runs.values()].filter((run) => run.range === range);
        return mine.length === 0 || mine.some(({ down }) => down === null);
      });

/** The first thing that is wrong with a way. */
export const troubleOf = ({ runs, gateDown }: Way): Failure | null =>
  gateDown ?? [...runs.values()].find(({ down }) => down !== null)?.down ?? null;

/** How a run of it does. @returns whether that changes anything */
export function noteRun({ runs }: Way, id: string, status: ListenerStatus): boolean {
  const run = runs.get(id);
  if (run === undefined) return false;
  const before = run.down;
  switch (status.is) {
    case 'open':
      run.was = 'open';
      run.down = null;
      break;
    case 'failed':
    case 'retrying':
      run.down = status.error;
      break;
    case 'opening':
      if (run.was === 'open') run.down = linkAway;
      break;
    case 'closed':
      break;
  }
  return run.down !== before;
}

const linkAway: Failure = {
  code: 'host_lost',
  message: 'the SSH connection it opened over is away',
  hint: 'it opens again once that is back',
};

export function createWays({ runs, setRules, linkDest }: WaysOptions) {
  const start = (way: Way, wanted: readonly { readonly range: OpenRange; readonly request: RunRequest }[]) => {
    for (const { range, request } of wanted) {
      way.runs.set(request.id, { range, was: 'new', down: null });
      runs.start(request);
    }
  };

  return {
    /** Why nothing can be opened towards this host, whoever holds the port; null where it can. */
    obstacle({ via, bind = '127.0.0.1' }: Trigger, host: string): SallyportError | null {
      const hint = 'what runs on this machine is reached at its own addresses already';
      if (via === 'relay' && leadsBack(bind, host)) {
        return new SallyportError('unsupported', `a relay on ${bind} towards ${host} would lead back to itself`, hint);
      }
      if (via === 'nftables' && addressReach(host) === 'host') {
        return new SallyportError('unsupported', `the kernel cannot lead to ${host}`, hint);
      }
      return null;
    },

    /** Why nothing can be opened over the link of a call; null where it can. */
    withoutLink: ({ via }: Trigger, link: string | null): SallyportError | null =>
      via === 'remote' && (link === null || linkDest(link) === null) ? noLink() : null,

    /**
     * Opens all of a trigger's ports towards a host.
     * @param link the one the host's call went over; null where it went over none
     * @throws SallyportError `host_lost` where the way needs a link
     */
    open(config: Trigger, host: string, link: string | null): Way {
      const ranges = openRanges(config.open);
      const way: Way = { host, ranges, runs: new Map(), gateDown: null, closed: false };
      switch (config.via) {
        case 'relay':
          start(way, relays(config, ranges, host, config.bind));
          break;
        case 'nftables':
          setRules(
            config.name,
            'nftables',
            ranges.map((range) => gateRule(config, range, host)),
          );
          break;
        case 'router':
          setRules(
            config.name,
            'router',
            ranges.map((range) => gateRule(config, range, '')),
          );
          void lanAddress().then((own) => {
            // The router leads to this machine: where that is who called, the way ends here.
            if (!way.closed && !leadsBack(own ?? '*', host)) start(way, relays(config, ranges, host, own ?? '*'));
          });
          break;
        case 'remote':
          start(way, remotes(config, ranges, host, link, link === null ? null : linkDest(link)));
          break;
      }
      return way;
    },

    close(config: Trigger, way: Way): void {
      way.closed = true;
      for (const id of way.runs.keys()) void runs.stop(id, { cutFlows: config.closeFlows ?? false });
      if (config.via === 'nftables' || config.via === 'router') setRules(config.name, config.via, []);
    },
  };
}

/** Whether a connection to `host` meets the listener at `bind` on the same port. */
const leadsBack = (bind: string, host: string): boolean => isOwnAddress(host) && takesAt(bind, host);

/** What is open for one host is not tried: whether that host listens yet is its own affair, and a try would be a call to it. */
const common = ({ name, session, allow, deny, maxFlows, rate, idleFlow }: Trigger) => ({
  name,
  session,
  enabled: true,
  probe: false as const,
  allow,
  deny,
  maxFlows,
  rate,
  idleFlow,
});

function relays(
  config: Trigger,
  ranges: readonly OpenRange[],
  host: string,
  address: string | undefined,
): { range: OpenRange; request: RunRequest }[] {
  return ranges.map((range, i) => ({
    range,
    request: {
      id: `${config.name}/open/${i}`,
      forward: {
        ...common(config),
        kind: 'mapping',
        via: 'relay',
        proto: range.proto,
        listen: { address, port: range.first, last: range.last },
        target: { host, port: range.first },
      },
    },
  }));
}

function remotes(
  config: Trigger,
  ranges: readonly OpenRange[],
  host: string,
  link: string | null,
  dest: string | null,
): { range: OpenRange; request: RunRequest }[] {
  if (link === null || dest === null) throw noLink();
  return ranges.flatMap((range) =>
    Array.from({ length: range.last - range.first + 1 }, (_, i) => range.first + i).map((port) => ({
      range,
      request: {
        id: `${config.name}/open/${port}`,
        link,
        forward: {
          ...common(config),
          kind: 'remote' as const,
          host: dest,
          listen: { address: config.bind, port },
          target: { host, port },
        },
      },
    })),
  );
}

/** A port cannot open on the far side of a call that went over no SSH connection. */
const noLink = () =>
  new SallyportError(
    'host_lost',
    'there is no SSH connection of a call to open the port on',
    'call through a SOCKS or local forward first',
  );
