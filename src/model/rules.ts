import ipaddr from 'ipaddr.js';
import { addressReach, normalAddress, parseCidr, takesAt } from './cidr.ts';
import type { Forward } from './config.ts';
import { SallyportError } from './errors.ts';
import { isSshForward, triggerSets } from './kinds.ts';
import { formatPortRange, parsePortList } from './ports.ts';

const refuse = (message: string, hint: string) => new SallyportError('bad_value', message, hint);

/**
 * What a rule must satisfy beyond its schema, looking at nothing but itself.
 * @throws SallyportError `bad_value` or `unsupported`
 */
export function checkForward(forward: Forward): void {
  if (isSshForward(forward)) {
    if (forward.host.startsWith('-'))
      throw refuse(`"${forward.host}" is not a host`, 'a destination cannot begin with a dash');
    return;
  }
  if (forward.via === 'router' && (forward.allow?.length || forward.deny?.length)) {
    throw new SallyportError(
      'unsupported',
      'a router cannot be relied on to enforce a source list',
      'use --via relay or --via nftables with --allow and --deny, or leave the list out',
    );
  }
  if (forward.kind === 'mapping') checkMapping(forward);
  else checkTrigger(forward);
}

function checkMapping(forward: Extract<Forward, { kind: 'mapping' }>): void {
  const { listen, target } = forward;
  refuseMisplaced(forward);
  refuseBadBind(listen.address);
  const last = listen.last ?? listen.port;
  if (last < listen.port) {
    throw refuse(`port range ${listen.port}-${last} is upside down`, `write it as ${last}-${listen.port}`);
  }
  if (target.port + (last - listen.port) > 65_535) {
    throw refuse(
      `the internal range from ${target.port} would end past port 65535`,
      'choose a lower internal port or a shorter range',
    );
  }
  if (forward.via === 'relay' && target.port === listen.port && leadsToItself(listen.address, target.host)) {
    throw refuse(
      `the mapping would lead to itself: it listens where ${target.host} port ${target.port} is`,
      'name another external port, or the machine inside',
    );
  }
  const [from, to] = [normalAddress(listen.address ?? ''), normalAddress(target.host)];
  if (forward.via !== 'relay' && from !== null && to !== null && from.includes(':') !== to.includes(':')) {
    throw refuse(
      `${listen.address} and ${target.host} are of different address families`,
      'the kernel cannot translate between IPv4 and IPv6: use --via relay',
    );
  }
  if (to !== null && noHosts.has(ipaddr.parse(to).range()))
    throw refuse(`${target.host} is no host`, 'name the internal machine by its address');
  if (to !== null && forward.via !== 'relay') refuseEmptyList(forward, to.includes(':'));
}

const noHosts: ReadonlySet<string> = new Set(['unspecified', 'broadcast', 'multicast']);

/** The kernel keeps the client's address family: a list of the other one alone would keep everybody out. */
function refuseEmptyList({ allow = [], target }: Extract<Forward, { kind: 'mapping' }>, six: boolean): void {
  if (allow.length === 0 || allow.some((network) => parseCidr(network).includes(':') === six)) return;
  throw refuse(
    `no network of the allow list is ${six ? 'IPv6' : 'IPv4'}, as ${target.host} is: it would keep everybody out`,
    'name networks of the same family, or use --via relay',
  );
}

/** Whether a relay would be its own target, as far as the words alone tell; the data plane sees the rest. */
function leadsToItself(bind = '127.0.0.1', host: string): boolean {
  const to = host === 'localhost' ? '127.0.0.1' : host;
  const isHere = addressReach(to) === 'host' || normalAddress(bind) === normalAddress(to);
  return isHere && takesAt(bind, to);
}

/** A name is looked up when it is listened on; what can be neither a name nor an address is a typing mistake. */
function refuseBadBind(address: string | undefined): void {
  if (address === undefined || address === '*' || normalAddress(address) !== null) return;
  if (/^[\d.]+$/.test(address) || !/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?$/.test(address))
    throw refuse(`"${address}" is not an address to listen on`, 'write it like 0.0.0.0, 192.168.1.1, [::1] or *');
}

/** A router's mapping to another machine is relayed on from here, so what a relay can do it can do too. */
function refuseMisplaced({
  via,
  proxyProtocol,
  masquerade,
  helper,
  idleFlow,
}: Extract<Forward, { kind: 'mapping' }>): void {
  const misplaced = [
    { flag: 'proxy-protocol', set: proxyProtocol, not: via === 'nftables', by: 'relay' },
    // The kernel forgets idle connections by its own time limits (nf_conntrack_*_timeout).
    { flag: 'idle-flow', set: idleFlow !== undefined, not: via === 'nftables', by: 'relay' },
    { flag: 'masquerade', set: masquerade, not: via !== 'nftables', by: 'nftables' },
    { flag: 'helper', set: helper !== undefined, not: via !== 'nftables', by: 'nftables' },
  ].find(({ set, not }) => set && not);
  if (misplaced === undefined) return;
  throw new SallyportError(
    'unsupported',
    `--${misplaced.flag} is nothing ${via} can do`,
    `use --via ${misplaced.by}, or leave it out (edit: --unset ${misplaced.flag})`,
  );
}

function checkTrigger(forward: Extract<Forward, { kind: 'trigger' }>): void {
  for (const { ports } of [...triggerSets(forward.on), ...forward.open]) parsePortList(ports).map(formatPortRange);
  if (forward.via === 'remote' && forward.open.some(({ proto }) => proto !== 'tcp')) {
    throw new SallyportError(
      'unsupported',
      'SSH forwards TCP alone: udp cannot open via remote',
      'open tcp ports only, or use --via relay, nftables or router',
    );
  }
  if (forward.source === 'kernel' && forward.via !== 'nftables') {
    throw new SallyportError(
      'unsupported',
      `the kernel source cannot open ports via ${forward.via}`,
      'use --via nftables, or --source flows',
    );
  }
}
