// What a rule will do, in a sentence a person would say.
import { addressReach } from '../model/cidr.ts';
import type { Forward, Listen, PortSet, Trigger } from '../model/config.ts';
import { formatEndpoint } from '../model/endpoint.ts';
import { triggerSets } from '../model/kinds.ts';
import { formatMoment, formatRate } from './quantity.ts';

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
    forward.rate === undefined ? '' : `at most ${formatRate(forward.rate)} each way`,
    forward.idleFlow === undefined ? '' : `no longer than ${forward.idleFlow} without traffic`,
    forward.kind === 'dynamic' && forward.login !== undefined ? `only with the password of ${forward.login.user}` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : `, but ${parts.join(', ')}`;
}

const gatewayWords = {
  relay: 'passed on by this program',
  nftables: "passed on by this machine's kernel",
  router: 'passed on by the router and then by this machine',
} as const;

/** When a forward that is only for a while goes down, to be said after what it does; nothing of another, or once it is over. */
export const explainEnd = ({ until }: Forward, now: number): string =>
  until === undefined || Date.parse(until) <= now
    ? ''
    : `; it goes down by itself at ${formatMoment(new Date(until), new Date(now))}`;

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
      const seenAs = forward.proxyProtocol
        ? ', which tells it who connects'
        : forward.masquerade
          ? ', which hides from it who connects'
          : '';
      return `${proto} ${ports} of ${machine} ${span === 0 ? 'leads' : 'lead'} to ${inside}, ${gatewayWords[via]}${seenAs}; ${whoConnects(address, machine)}${limits(forward)}`;
    }
    case 'trigger':
      return explainTrigger(forward);
  }
}

const isOneHost = (network: string) => !/\/(?!(32|128)$)/.test(network);

/** `192.168.1.20 or a host in 10.0.0.0/8`: hosts by their address, networks with what they are called. */
const whichHosts = (list: readonly string[], network = '') =>
  list.map((one) => (isOneHost(one) ? one.replace(/\/\d+$/, '') : `${network}${one}`)).join(' or ');

function explainTrigger(forward: Trigger): string {
  const { via, from, to, idle, maxOpen, bind, second, closeFlows } = forward;
  const byKernel = (forward.source ?? (via === 'nftables' ? 'kernel' : 'flows')) === 'kernel';
  const host = from?.length ? whichHosts(from, 'a host in ') : 'a host inside';
  const there = to?.length ? ` ${isOneHost(to[0] ?? '') ? 'at' : 'in'} ${whichHosts(to)}` : '';
  const call = `calls out to ${sets(triggerSets(forward.on))}${there}`;
  const through = byKernel ? 'through this machine' : 'through a forward of this program';
  const everyAddress = bind === '*' || bind === '0.0.0.0' || bind === '::';
  const { side, access: who } = {
    relay: { side: everyAddress ? 'this machine' : (bind ?? '127.0.0.1'), access: whoConnects(bind, 'this machine') },
    nftables: {
      side: everyAddress || bind === undefined ? 'the outside of this machine' : bind,
      access: whoConnects(bind ?? '*', 'this machine'),
    },
    router: { side: 'the router', access: whoConnects('*', 'the router') },
    remote: {
      side: everyAddress ? 'the SSH server it went over' : `${bind ?? '127.0.0.1'} of the SSH server it went over`,
      access: whoConnects(bind, 'that server'),
    },
  }[via];
  const many = forward.open.length > 1 || forward.open.some(({ proto, ports }) => proto === 'both' || /\D/.test(ports));
  const opens = `${sets(forward.open)} ${many ? 'open' : 'opens'} towards it on ${side}`;
  const end = `until nothing moved for ${idle}${maxOpen === undefined ? '' : `, or for ${maxOpen} at most`}`;
  const rest = [
    second === 'last' ? 'a second host takes it over' : 'a second host waits until it is closed',
    // a rule made for one host ends with its connections
    ...(closeFlows || (via === 'nftables' && !byKernel) ? ['what still runs when it closes is cut'] : []),
    `${who}${limits(forward)}`,
  ];
  return `when ${host} ${call} ${through}, ${opens} ${end}; ${rest.join('; ')}`;
}
