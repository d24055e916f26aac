// Triggers in the packet path. A host's call puts it into a set that holds one host (`host`), then into the map
// translation reads (`owner`); both expire by themselves, so an engine that died leaves nothing open. The order
// matters: a full set stops the statement, and the map is not touched for a second host. Where the last caller takes it
// over, `host` has room for those before as well: each has its own time there, and only the one in `owner` counts.
import { createHash } from 'node:crypto';
import { disjointIntervals } from '../../model/intervals.ts';
import type { Transport } from '../../model/ports.ts';
import { sourceRules } from './mappings.ts';
import type { RulesetBuilder } from './ruleset.ts';
import { type Family, familyOf, networksOf, portsText } from './values.ts';

export interface TransportRange {
  readonly proto: Transport;
  readonly first: number;
  readonly last: number;
}

/** A trigger as the kernel is asked to perform it. */
export interface KernelTrigger {
  readonly name: string;
  /** Outbound destination ports that trigger. */
  readonly on: readonly TransportRange[];
  /** Inbound ports that open; they keep their numbers. */
  readonly open: readonly TransportRange[];
  readonly idleMs: number;
  readonly second: 'first' | 'last';
  /** Hosts that may trigger; empty: any behind this machine. */
  readonly from: readonly string[];
  /** Destinations that count; empty: any. */
  readonly to: readonly string[];
  /** Address or interface the opened ports are on; null: the interface of the default route. */
  readonly bind: string | null;
  /** Longest time open in one go; null for no limit. */
  readonly maxOpenMs: number | null;
  readonly closeFlows: boolean;
  /** Who may connect to what is opened. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** A trigger with its outside resolved: the interface it opens on, and the address if one was named. */
export interface PlacedTrigger extends KernelTrigger {
  readonly outside: string;
  readonly address: string | null;
}

/** How long a host that was turned away stays in the list of those, and is not reported again. */
const refusedMs = 60_000;

/** The stem of a trigger's object names. */
export const triggerId = (name: string): string => `t${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;

/** Names of a trigger's sets in the kernel; `v` is 4 or 6. */
export const triggerSets = (id: string, v: 4 | 6) => ({
  host: `${id}_host${v}`,
  owner: `${id}_owner${v}`,
  /** Holds the family while the longest time has not passed. */
  gate: `${id}_gate${v}`,
  /** Holds the family while a manual opening runs longer than the idle time. */
  pin: `${id}_pin${v}`,
  refused: `${id}_refused${v}`,
});

const families = [4, 6] as const;
const ip = { 4: 'ip', 6: 'ip6' } as const;
const nfFamily = (v: 4 | 6): Family => (v === 4 ? 'ipv4' : 'ipv6');
/** How late a set with one place sees that the host in it is over, and takes the next. */
const sweepMs = 100;
const ms = (time: number) => `${Math.max(1, Math.round(time))}ms`;

function addSets(table: RulesetBuilder, id: string, trigger: PlacedTrigger): void {
  const { idleMs, second } = trigger;
  for (const v of families) {
    const sets = triggerSets(id, v);
    // a taken-over entry is only marked dead and goes a second later; many can pile up in that time
    const size = second === 'first' ? { host: 1, owner: 2 } : { host: 256, owner: 65_535 };
    const flags = 'flags dynamic,timeout; timeout';
    const sweep = `gc-interval ${ms(sweepMs)}`;
    table.add('set', sets.host, `type ipv${v}_addr; size ${size.host}; ${flags} ${ms(idleMs)}; ${sweep}`);
    table.add('map', sets.owner, `type nf_proto : ipv${v}_addr; size ${size.owner}; ${flags} ${ms(idleMs)}`);
    table.add('set', sets.gate, `type nf_proto; size 64; ${flags} ${ms(trigger.maxOpenMs ?? idleMs)}`);
    table.add('set', sets.pin, `type nf_proto; size 64; ${flags} ${ms(idleMs)}`);
    table.add('set', sets.refused, `type ipv${v}_addr; size 256; ${flags} ${ms(refusedMs)}`);
  }
  for (const way of ['in', 'out', 'new']) {
    for (const kind of counterKinds) table.add('counter', `${id}_${way}_${kind.suffix}`);
  }
  table.add('counter', `${id}_refused`);
}

/** Headers differ, so each family and transport counts by itself. */
export const counterKinds = families.flatMap((v) =>
  (['tcp', 'udp'] as const).map((proto) => ({ family: nfFamily(v), proto, suffix: `${v}${proto}` })),
);

/** A statement that counts a packet for `way`. */
function counted(id: string, way: 'in' | 'out' | 'new'): string {
  const choices = counterKinds.map(({ family, proto, suffix }) => `${family} . ${proto} : "${id}_${way}_${suffix}"`);
  return `counter name meta nfproto . meta l4proto map { ${choices.join(', ')} }`;
}

const take = (v: 4 | 6, id: string, idleMs: number, field: 'saddr' | 'daddr') => {
  const { host, owner } = triggerSets(id, v);
  const at = `${ip[v]} ${field}`;
  return `update @${host} { ${at} timeout ${ms(idleMs)} } update @${owner} { meta nfproto timeout ${ms(idleMs)} : ${at} }`;
};

/** Outbound packets on a trigger's ports: claim, refresh, or be noted as refused. */
function claimRules(id: string, trigger: PlacedTrigger): string[] {
  const { outside, second, idleMs, maxOpenMs, from, to } = trigger;
  const rules = [
    `oifname != "${outside}" return`,
    `iifname "${outside}" return`,
    // a source that would not be routed back where it came from is a forged one
    'fib saddr . iif oif missing return',
  ];
  for (const v of families) {
    const { host, owner, gate, pin, refused } = triggerSets(id, v);
    const of = `meta nfproto ipv${v}`;
    const saddr = `${ip[v]} saddr`;
    for (const [list, field] of [
      [from, 'saddr'],
      [to, 'daddr'],
    ] as const) {
      if (list.length === 0) continue;
      const networks = networksOf(list, nfFamily(v));
      rules.push(
        networks.length === 0 ? `${of} return` : `${of} ${ip[v]} ${field} != { ${networks.join(', ')} } return`,
      );
    }
    const claim = take(v, id, idleMs, 'saddr');
    if (maxOpenMs === null && second === 'first') {
      // any packet of the call claims, so a long call opens again after a silence
      rules.push(`${of} ${saddr} @${host} meta nfproto @${pin} return`);
      rules.push(`${of} ${claim} return`);
    } else {
      const held = maxOpenMs === null ? '' : `meta nfproto @${gate} `;
      rules.push(`${of} ct state != new ${saddr} @${host} meta nfproto != @${pin} ${held}${claim} return`);
      rules.push(`${of} ct state != new return`);
      rules.push(`${of} ${saddr} @${host} meta nfproto @${pin} return`);
      if (second === 'last') rules.push(`${of} delete @${owner} { meta nfproto : ${saddr} }`);
      const opening = maxOpenMs === null ? '' : ` add @${gate} { meta nfproto timeout ${ms(maxOpenMs)} }`;
      rules.push(`${of} ${claim}${opening} return`);
    }
    rules.push(`${of} add @${refused} { ${saddr} timeout ${ms(refusedMs)} }`);
  }
  return rules;
}

/** A new connection from outside to an opened port: to the owner, or on to the port that is closed. */
function translateRules(id: string, trigger: PlacedTrigger): string[] {
  const rules = outsideRules(trigger);
  for (const v of families) {
    const { owner, gate } = triggerSets(id, v);
    for (const rule of sourceRules(trigger, nfFamily(v), `counter name "${id}_refused" return`)) rules.push(rule);
    const held = trigger.maxOpenMs === null ? '' : `meta nfproto @${gate} `;
    rules.push(`meta nfproto ipv${v} ${held}dnat ${ip[v]} to meta nfproto map @${owner}`);
  }
  return rules;
}

/** Returns for what came in another way than the trigger opens on. */
function outsideRules({ outside, address }: PlacedTrigger): string[] {
  const rules = [`iifname != "${outside}" return`];
  if (address !== null) {
    const family = familyOf(address);
    rules.push(`meta nfproto != ${family} return`, `${family === 'ipv4' ? 'ip' : 'ip6'} daddr != ${address} return`);
  }
  return rules;
}

/** Packets of connections on opened ports: the owner's keep it open; others' run out, or are cut. */
function trafficRules(id: string, trigger: PlacedTrigger): string[] {
  // calls of our own side to the same port elsewhere are none of ours
  const rules = [
    `ct direction original iifname != "${trigger.outside}" return`,
    `ct direction reply oifname != "${trigger.outside}" return`,
  ];
  for (const v of families) {
    const { host, gate, pin } = triggerSets(id, v);
    const held = trigger.maxOpenMs === null ? '' : `meta nfproto @${gate} `;
    for (const [direction, field, way] of [
      ['original', 'daddr', 'in'],
      ['reply', 'saddr', 'out'],
    ] as const) {
      const mine = `meta nfproto ipv${v} ct direction ${direction} ${ip[v]} ${field} @${host}`;
      rules.push(`${mine} ${held}meta nfproto != @${pin} ${take(v, id, trigger.idleMs, field)}`);
      rules.push(`${mine} ${held}${counted(id, way)} accept`);
    }
  }
  // translated towards a host whose own time is over: what others use does not keep it open
  rules.push(`ct state new ct direction original goto ${id}_refuse`);
  // UDP has no end: without an owner its associations are over
  rules.push('meta l4proto udp drop');
  if (trigger.closeFlows) rules.push('meta l4proto tcp reject with tcp reset');
  rules.push(`ct direction original ${counted(id, 'in')} accept`);
  rules.push(`ct direction reply ${counted(id, 'out')} accept`);
  return rules;
}

/** Where addresses are routed and nothing is translated: new connections from outside reach the owner alone. */
function gateRules(id: string, trigger: PlacedTrigger): string[] {
  const rules = outsideRules({ ...trigger, address: null });
  const refuse = `goto ${id}_refuse`;
  for (const v of families) {
    const { host, gate } = triggerSets(id, v);
    const of = `meta nfproto ipv${v}`;
    rules.push(`${of} ${ip[v]} daddr != @${host} ${refuse}`);
    if (trigger.maxOpenMs !== null) rules.push(`${of} meta nfproto != @${gate} ${refuse}`);
    for (const rule of sourceRules(trigger, nfFamily(v), refuse)) rules.push(rule);
  }
  return [...rules, counted(id, 'new')];
}

const refuseRules = ['meta l4proto tcp reject with tcp reset', 'reject with icmpx port-unreachable'];

/** Adds checked triggers (see `checkTriggers`) to the table. */
export function addTriggers(table: RulesetBuilder, triggers: readonly PlacedTrigger[]): void {
  if (triggers.length === 0) return;
  const key = 'type inet_proto . inet_service : verdict; flags interval';
  for (const name of ['on', 'in', 'new', 'use', 'gate', 'closed']) table.add('map', `trigger_${name}_m`, key);
  const ports = 'meta l4proto { tcp, udp }';
  const byPacket = 'meta l4proto . th dport';
  const byConnection = 'meta l4proto . ct original proto-dst';
  table.chain('trigger_in', [`${ports} ${byPacket} vmap @trigger_in_m`]);
  table.chain('trigger_use', [`${ports} ${byConnection} vmap @trigger_use_m`]);
  table.chain('trigger_new', [`${ports} ${byConnection} vmap @trigger_new_m`]);
  table.chain('trigger_closed', [
    `ct state new ct direction original ${ports} fib daddr type local ${byPacket} vmap @trigger_closed_m`,
  ]);
  table.chain('trigger_on', [
    `ct direction original ${ports} ${byPacket} vmap @trigger_on_m`,
    `${ports} ${byConnection} vmap @trigger_gate_m`,
  ]);

  for (const trigger of triggers) {
    const id = triggerId(trigger.name);
    addSets(table, id, trigger);
    table.chain(`${id}_claim`, claimRules(id, trigger));
    table.chain(`${id}_translate`, translateRules(id, trigger));
    table.chain(`${id}_use`, trafficRules(id, trigger));
    table.chain(`${id}_refuse`, refuseRules);
    table.chain(`${id}_closed`, [...outsideRules(trigger), `goto ${id}_refuse`]);
    table.chain(`${id}_gate`, [`ct state new ct direction original jump ${id}_enter`, `goto ${id}_use`]);
    table.chain(`${id}_count`, [counted(id, 'new')]);
    table.chain(`${id}_enter`, gateRules(id, trigger));
    for (const range of trigger.open) {
      const at = `${range.proto} . ${portsText(range)}`;
      table.element('trigger_in_m', at, `goto ${id}_translate`);
      table.element('trigger_new_m', at, `goto ${id}_count`);
      table.element('trigger_use_m', at, `goto ${id}_use`);
      table.element('trigger_gate_m', at, `goto ${id}_gate`);
      table.element('trigger_closed_m', at, `goto ${id}_closed`);
    }
  }

  const on = triggers.flatMap(({ name, on: ranges }) => ranges.map((range) => ({ ...range, name: triggerId(name) })));
  for (const { proto, first, last, names } of disjointIntervals(on)) {
    const at = `${proto} . ${portsText({ first, last })}`;
    const [only = ''] = names;
    if (names.length === 1) {
      table.element('trigger_on_m', at, `jump ${only}_claim`);
      continue;
    }
    const several = `several_${createHash('sha256').update(names.join()).digest('hex').slice(0, 16)}`;
    table.chain(
      several,
      names.map((name) => `jump ${name}_claim`),
    );
    table.element('trigger_on_m', at, `jump ${several}`);
  }
}
