// What a rule will do, in a sentence a person would say.
import { addressReach } from '../model/cidr.ts';
import type { Forward, Listen, PortSet } from '../model/config.ts';
import { formatEndpoint } from '../model/endpoint.ts';
import { triggerSets } from '../model/kinds.ts';

/** Who can connect to a listening address. */
function whoConnects(address: string | undefined, machine: string): string {
  const reach = address === undefined ? 'host' : addressReach(address === '*' ? '0.0.0.0' : address);
  if (reach === 'host') return `only programs on ${machine} can connect`;
  if (reach === 'lan') return `everybody on the local network can connect`;
  return `everybody who reaches ${machine} can connect`;
}

/** `port 8080 of this machine`, `10.0.0.5:8080`, `the socket /run/x.sock of this machine`. */
function place(listen: Listen, machine: string): string {
  if ('socket' in listen) return `the socket ${listen.socket} of ${machine}`;
  const port = listen.port === 0 ? 'a free port' : `port ${listen.port}`;
  return listen.address === undefined || listen.address === '*'
    ? `${port} of ${machine}`
    : `${port} of ${listen.address} on ${machine}`;
}

const access = (listen: Listen, machine: string) =>
  'socket' in listen ? 'whoever may use the socket can connect' : whoConnects(listen.address, machine);

const sets = (list: readonly PortSet[]) =>
  list.map(({ proto, ports }) => `${proto === 'both' ? 'TCP and UDP' : proto.toUpperCase()} ${ports}`).join(' and ');

function limits(forward: Forward): string {
  const parts = [
    forward.allow?.length ? `only ${forward.allow.join(', ')} may connect` : '',
    forward.deny?.length ? `${forward.deny.join(', ')} may not` : '',
    forward.maxFlows === undefined ? '' : `at most ${forward.maxFlows} at a time`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : `, but ${parts.join(', ')}`;
}

const gatewayWords = {
  relay: 'passed on by this program',
  nftables: "passed on by this machine's kernel",
  router: 'passed on by the router and then by this machine',
} as const;

/** One sentence, without a full stop at its end. */
export function explain(forward: Forward): string {
  const here = 'this machine';
  switch (forward.kind) {
    case 'local':
      return `${place(forward.listen, here)} leads to ${formatEndpoint(forward.target)} as ${forward.host} sees it; ${access(forward.listen, here)}${limits(forward)}`;
    case 'remote':
      return forward.target === undefined
        ? `${place(forward.listen, forward.host)} is a SOCKS proxy that leaves from ${here}; ${access(forward.listen, forward.host)}${limits(forward)}`
        : `${place(forward.listen, forward.host)} leads to ${formatEndpoint(forward.target)} as ${here} sees it; ${access(forward.listen, forward.host)}${limits(forward)}`;
    case 'dynamic':
      return `${place(forward.listen, here)} is a SOCKS proxy that leaves from ${forward.host}; ${access(forward.listen, here)}${limits(forward)}`;
    case 'mapping': {
      const { listen, target, via } = forward;
      const span = (listen.last ?? listen.port) - listen.port;
      const machine = via === 'router' ? 'the router' : here;
      const proto = forward.proto === 'both' ? 'TCP and UDP' : forward.proto.toUpperCase();
      const ports = span === 0 ? `port ${listen.port}` : `ports ${listen.port} to ${listen.port + span}`;
      const inside = formatEndpoint({
        host: target.host,
        port: span === 0 ? target.port : `${target.port}-${target.port + span}`,
      });
      const address = listen.address ?? (via === 'relay' ? undefined : '*');
      return `${proto} ${ports} of ${machine} ${span === 0 ? 'leads' : 'lead'} to ${inside}, ${gatewayWords[via]}; ${whoConnects(address, machine)}${limits(forward)}`;
    }
    case 'trigger': {
      const from = forward.from?.length ? `a host of ${forward.from.join(', ')}` : 'a host inside';
      const second =
        forward.second === 'last' ? 'a second host takes it over' : 'a second host waits until it is closed';
      return `when ${from} calls out to ${sets(triggerSets(forward.on))}, ${sets(forward.open)} opens towards it until nothing moved for ${forward.idle}; ${second}${limits(forward)}`;
    }
  }
}
