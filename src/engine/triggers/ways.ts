// The ways a call of the engine's own flows can open: a relay here, a rule in the kernel, a lease on the router with a
// relay behind it, or a remote forward on the SSH server the call went over.
import type { GatewayRule } from '../../gateways/gateway.ts';
import { isOwnAddress, lanAddress } from '../../machine/interfaces.ts';
import { addressReach, normalAddress } from '../../model/cidr.ts';
import type { Trigger } from '../../model/config.ts';
import { SallyportError } from '../../model/errors.ts';
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
  /** Ids of what runs in the data plane for it. */
  readonly runs: Set<string>;
  closed: boolean;
}

export function createWays({ runs, setRules, linkDest }: WaysOptions) {
  const start = (way: Way, requests: readonly RunRequest[]) => {
    for (const request of requests) {
      way.runs.add(request.id);
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

    /**
     * Opens all of a trigger's ports towards a host.
     * @param link the one the host's call went over; null where it went over none
     * @throws SallyportError `host_lost` where the way needs a link
     */
    open(config: Trigger, host: string, link: string | null): Way {
      const way: Way = { host, runs: new Set(), closed: false };
      const ranges = openRanges(config.open);
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
      for (const id of way.runs) void runs.stop(id, { cutFlows: config.closeFlows ?? false });
      if (config.via === 'nftables' || config.via === 'router') setRules(config.name, config.via, []);
    },
  };
}

/** Whether a connection to `host` meets the listener at `bind` on the same port. */
function leadsBack(bind: string, host: string): boolean {
  const to = normalAddress(host);
  if (to === null || !isOwnAddress(to)) return false;
  if (bind === '*' || bind === '::') return true;
  if (bind === '0.0.0.0') return !to.includes(':');
  if (bind === 'localhost') return to === '127.0.0.1' || to === '::1';
  return normalAddress(bind) === to;
}

const common = ({ name, session, allow, deny, maxFlows, rate, idleFlow }: Trigger) => ({
  name,
  session,
  enabled: true,
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
): readonly RunRequest[] {
  return ranges.map(({ proto, first, last }, i) => ({
    id: `${config.name}/open/${i}`,
    forward: {
      ...common(config),
      kind: 'mapping',
      via: 'relay',
      proto,
      listen: { address, port: first, last },
      target: { host, port: first },
    },
  }));
}

function remotes(
  config: Trigger,
  ranges: readonly OpenRange[],
  host: string,
  link: string | null,
  dest: string | null,
): readonly RunRequest[] {
  if (link === null || dest === null) throw noLink();
  return ranges
    .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
    .map((port) => ({
      id: `${config.name}/open/${port}`,
      link,
      forward: {
        ...common(config),
        kind: 'remote',
        host: dest,
        listen: { address: config.bind, port },
        target: { host, port },
        probe: false,
      },
    }));
}

/** A port cannot open on the far side of a call that went over no SSH connection. */
export const noLink = () =>
  new SallyportError(
    'host_lost',
    'there is no SSH connection of a call to open the port on',
    'call through a SOCKS or local forward first',
  );
