// Mappings as objects and elements of our table. A plain mapping is elements of maps alone, so a thousand cost a packet
// what one does; only one with a list, a limit, a rate or a helper has chains of its own, found by a map as well.
import { createHash } from 'node:crypto';
import type { GatewayRule } from '../gateway.ts';
import type { RulesetBuilder } from './ruleset.ts';
import { expandPorts, type Family, familyOf, networksOf, portsText } from './values.ts';

/** The stem of a rule's object names: the same for as long as its owner and external side are. */
export function ruleId({ owner, proto, external, internal }: GatewayRule): string {
  const identity = [owner, proto, external.address, external.first, external.last, familyOf(internal.address)];
  return `r${createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 16)}`;
}

/** The internal address is the external one: nothing to translate, only to let through and count. */
export const isRouted = ({ external, internal }: GatewayRule): boolean =>
  external.address === internal.address && external.first === internal.first;

const bits = (family: Family) => (family === 'ipv4' ? '4' : '6');
const everywhere = (family: Family) => (family === 'ipv4' ? '0.0.0.0/0' : '::/0');

/**
 * Puts a rule's key into the right one of three maps: a hash for one port on every address, the common case and the
 * fast one; else the map of intervals of its family.
 */
function place(table: RulesetBuilder, stem: string, rule: GatewayRule, value: string): void {
  const { proto, external } = rule;
  const family = familyOf(rule.internal.address);
  if (external.address === null && external.first === external.last) {
    table.element(`${stem}_any`, `${family} . ${proto} . ${external.first}`, value);
  } else {
    const key = `${proto} . ${external.address ?? everywhere(family)} . ${portsText(external)}`;
    table.element(`${stem}${bits(family)}`, key, value);
  }
}

function addTranslation(table: RulesetBuilder, id: string, { proto, external, internal }: GatewayRule): void {
  const family = familyOf(internal.address);
  const stem = `dnat${bits(family)}`;
  const key = `${proto} . ${external.address ?? everywhere(family)} . ${portsText(external)}`;
  if (external.first === external.last) {
    const to = `${internal.address} . ${internal.first}`;
    if (external.address === null) table.element(`${stem}_any`, `${proto} . ${external.first}`, to);
    else table.element(stem, key, to);
  } else if (external.first === internal.first) {
    table.element(`${stem}_range`, key, internal.address);
  } else {
    // the kernel has no arithmetic for a shifted range: each port by itself, in a map that goes in one piece
    const version = bits(family);
    table.add('map', `${id}_ports`, `type inet_service : ipv${version}_addr . inet_service`);
    for (const [port, to] of expandPorts(external, internal.first)) {
      table.element(`${id}_ports`, String(port), `${internal.address} . ${to}`);
    }
    const ip = family === 'ipv4' ? 'ip' : 'ip6';
    table.chain(`${id}_dnat`, [`meta l4proto ${proto} dnat ${ip} to th dport map @${id}_ports`]);
    table.element(`shifted${version}`, key, `goto ${id}_dnat`);
  }
}

/** Names the kernel gives its connection-tracking helpers. */
export function helperType(helper: string, proto: GatewayRule['proto']): string | null {
  switch (helper) {
    case 'ftp':
    case 'irc':
    case 'pptp':
      return proto === 'tcp' ? helper : null;
    case 'sip':
      return helper;
    case 'tftp':
      return proto === 'udp' ? helper : null;
    case 'h323':
      return proto === 'tcp' ? 'Q.931' : 'RAS';
    default:
      return null;
  }
}

const saddr = (family: Family) => (family === 'ipv4' ? 'ip saddr' : 'ip6 saddr');

/** Rules that turn away a source outside the lists; null where everybody is turned away. */
export function sourceRules(
  rule: { readonly allow: readonly string[]; readonly deny: readonly string[] },
  family: Family,
  verdict: string,
): string[] {
  const rules: string[] = [];
  const deny = networksOf(rule.deny, family);
  if (deny.length > 0) rules.push(`${saddr(family)} { ${deny.join(', ')} } ${verdict}`);
  if (rule.allow.length > 0) {
    const allow = networksOf(rule.allow, family);
    // a list without this family's networks lets nobody of this family in
    rules.push(allow.length > 0 ? `${saddr(family)} != { ${allow.join(', ')} } ${verdict}` : verdict);
  }
  return rules;
}

function addGuard(table: RulesetBuilder, id: string, rule: GatewayRule): void {
  const family = familyOf(rule.internal.address);
  const rules = sourceRules(rule, family, `goto ${id}_refuse`);
  if (rule.maxFlows !== null) rules.push(`ct count over ${rule.maxFlows} goto ${id}_refuse`);
  const helper = rule.helper === null ? null : helperType(rule.helper, rule.proto);
  if (helper !== null) {
    table.add(
      'ct helper',
      `${id}_helper`,
      `type "${helper}" protocol ${rule.proto}; l3proto ${bits(family) === '4' ? 'ip' : 'ip6'}`,
    );
    rules.push(`ct helper set "${id}_helper"`);
  }
  if (rules.length === 0) return;
  table.add('counter', `${id}_refused`);
  table.chain(`${id}_refuse`, [
    `counter name "${id}_refused"`,
    rule.proto === 'tcp' ? 'meta l4proto tcp reject with tcp reset' : 'reject with icmpx port-unreachable',
  ]);
  table.chain(`${id}_guard`, rules);
  place(table, 'guard', rule, `jump ${id}_guard`);
}

function addCounting(table: RulesetBuilder, id: string, rule: GatewayRule): void {
  for (const way of ['in', 'out', 'new']) table.add('counter', `${id}_${way}`);
  place(table, 'new', rule, `"${id}_new"`);
  if (rule.rateBytesPerSecond === null) {
    place(table, 'in', rule, `"${id}_in"`);
    place(table, 'out', rule, `"${id}_out"`);
    return;
  }
  const rate = rule.rateBytesPerSecond;
  // a tenth of a second, and never less than a few full packets, some of which the kernel has already merged
  const burst = Math.max(Math.ceil(rate / 10), 128 * 1024);
  const limit = `limit rate over ${rate} bytes/second burst ${burst} bytes drop`;
  table.chain(`${id}_shape`, [
    `ct direction original ${limit}`,
    `ct direction reply ${limit}`,
    `ct direction original counter name "${id}_in" accept`,
    `ct direction reply counter name "${id}_out" accept`,
  ]);
  place(table, 'shape', rule, `goto ${id}_shape`);
}

/** Adds a checked rule (see `checkRules`) to the table. */
export function addMapping(table: RulesetBuilder, rule: GatewayRule): void {
  const id = ruleId(rule);
  addCounting(table, id, rule);
  addGuard(table, id, rule);
  if (isRouted(rule)) {
    const family = familyOf(rule.internal.address);
    const key = `${rule.proto} . ${rule.internal.address} . ${portsText(rule.external)}`;
    table.element(`routed${bits(family)}`, key);
    return;
  }
  addTranslation(table, id, rule);
  place(table, 'snat', rule, rule.masquerade ? 'goto masq' : 'goto hairpin');
}
