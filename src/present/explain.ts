// What a rule will do, in a sentence a person would say.
import { addressReach } from '../model/cidr.ts';
import { type Forward, type Listen, type PortSet, triggerSets } from '../model/config.ts';
import { formatEndpoint } from '../model/endpoint.ts';

const port = (n: number) => (n === 0 ? 'a free port' : `port ${n}`);

/** Who can reach a listening address. */
function whoReaches(address: string | undefined, machine: string): string {
  if (address === undefined || addressReach(address === '*' ? '0.0.0.0' : address) === 'host')
    return `programs on ${machine}`;
  if (address === '*' || address === '0.0.0.0' || address === '::') return `anybody who can reach ${machine}`;
  return addressReach(address) === 'lan' ? `the local network at ${address}` : `anybody who can reach ${address}`;
}

function listening(listen: Listen, machine: string): string {
  if ('socket' in listen) return `whoever may use the socket ${listen.socket} on ${machine}`;
  return `${whoReaches(listen.address, machine)} on ${port(listen.port)}`;
}

const sets = (list: readonly PortSet[]) =>
  list.map(({ proto, ports }) => `${proto === 'both' ? 'TCP and UDP' : proto.toUpperCase()} ${ports}`).join(' and ');

function limits(forward: Forward): string {
  const parts = [
    forward.allow?.length ? `only ${forward.allow.join(', ')} may connect` : '',
    forward.deny?.length ? `${forward.deny.join(', ')} may not` : '',
    forward.maxFlows === undefined ? '' : `at most ${forward.maxFlows} at a time`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : `; ${parts.join(', ')}`;
}

const gatewayWords = {
  relay: 'this program passes on',
  nftables: "this machine's kernel passes on",
  router: 'the router passes on to this machine, and it on',
} as const;

/** One sentence, without a full stop at its end. */
export function explain(forward: Forward): string {
  switch (forward.kind) {
    case 'local':
      return `${listening(forward.listen, 'this machine')} reach ${formatEndpoint(forward.target)} as ${forward.host} sees it${limits(forward)}`;
    case 'remote':
      return forward.target === undefined
        ? `${listening(forward.listen, forward.host)} get a SOCKS proxy that leaves from this machine${limits(forward)}`
        : `${listening(forward.listen, forward.host)} reach ${formatEndpoint(forward.target)} as this machine sees it${limits(forward)}`;
    case 'dynamic':
      return `${listening(forward.listen, 'this machine')} get a SOCKS proxy whose connections leave from ${forward.host}${limits(forward)}`;
    case 'mapping': {
      const { listen, target, via } = forward;
      const last = listen.last ?? listen.port;
      const ports = last === listen.port ? `port ${listen.port}` : `ports ${listen.port} to ${last}`;
      const shifted =
        last === listen.port ? String(target.port) : `${target.port} to ${target.port + last - listen.port}`;
      const proto = forward.proto === 'both' ? 'TCP and UDP' : forward.proto.toUpperCase();
      const address = listen.address ?? (via === 'relay' ? undefined : '*');
      return `${whoReaches(address, via === 'router' ? 'the router' : 'this machine')} use ${proto} ${ports}, which ${gatewayWords[via]} to ${target.host}, ${shifted}${limits(forward)}`;
    }
    case 'trigger': {
      const from = forward.from?.length ? `a host of ${forward.from.join(', ')}` : 'a host inside';
      const second =
        forward.second === 'last' ? 'a second host takes it over' : 'a second host waits until it is closed';
      return `when ${from} calls out to ${sets(triggerSets(forward.on))}, ${sets(forward.open)} opens towards it until nothing moved for ${forward.idle}; ${second}${limits(forward)}`;
    }
  }
}
