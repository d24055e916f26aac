// What every table of ours has whatever is in it: the hooks, and the maps the rules look into.
import type { RulesetBuilder } from './ruleset.ts';

/** One port on every address; the rest of the keys are intervals by family. */
const anyKey = 'type nf_proto . inet_proto . inet_service';
const key = {
  4: 'type inet_proto . ipv4_addr . inet_service',
  6: 'type inet_proto . ipv6_addr . inet_service',
} as const;
const address = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;
const ip = { 4: 'ip', 6: 'ip6' } as const;
const families = [4, 6] as const;
const ports = 'meta l4proto { tcp, udp }';

/** Statements that look a packet up in the three maps of a stem: by the packet itself, or by its connection's first packet. */
function lookups(stem: string, by: 'packet' | 'connection', statement: (key: string, map: string) => string): string[] {
  const port = by === 'packet' ? 'th dport' : 'ct original proto-dst';
  const daddr = (family: 4 | 6) => (by === 'packet' ? `${ip[family]} daddr` : `ct original ${ip[family]} daddr`);
  return [
    `${ports} ${statement(`meta nfproto . meta l4proto . ${port}`, `${stem}_any`)}`,
    ...families.map(
      (f) => `meta nfproto ipv${f} ${ports} ${statement(`meta l4proto . ${daddr(f)} . ${port}`, `${stem}${f}`)}`,
    ),
  ];
}

const count = (end: string) => (k: string, map: string) => `counter name ${k} map @${map}${end}`;
const branch = (k: string, map: string) => `${k} vmap @${map}`;

export function addSkeleton(table: RulesetBuilder): void {
  for (const f of families) {
    table.add('map', `dnat${f}_any`, `type inet_proto . inet_service : ${address[f]} . inet_service`);
    table.add('map', `dnat${f}`, `${key[f]} : ${address[f]} . inet_service; flags interval`);
    table.add('map', `dnat${f}_range`, `${key[f]} : ${address[f]}; flags interval`);
    table.add('map', `shifted${f}`, `${key[f]} : verdict; flags interval`);
    table.add('set', `routed${f}`, `${key[f]}; flags interval`);
    table.add('set', `link${f}`, `type ${address[f]} . ${address[f]}; flags interval`);
  }
  for (const [stem, value] of [
    ['new', 'counter'],
    ['in', 'counter'],
    ['out', 'counter'],
    ['guard', 'verdict'],
    ['shape', 'verdict'],
    ['snat', 'verdict'],
  ]) {
    table.add('map', `${stem}_any`, `${anyKey} : ${value}`);
    for (const f of families) table.add('map', `${stem}${f}`, `${key[f]} : ${value}; flags interval`);
  }

  // who may come in, and how many
  table.chain('guard', lookups('guard', 'packet', branch));
  const fresh = `ct state new ct direction original ${ports} fib daddr type local jump guard`;
  table.chain('guard_pre', [fresh], 'type filter hook prerouting priority -110; policy accept;');
  table.chain('guard_out', [fresh], 'type filter hook output priority -110; policy accept;');

  // where it goes; a connection cut on purpose is not picked up again in its middle
  table.chain('translate', [
    'meta l4proto tcp tcp flags & (fin | syn | rst | ack) != syn return',
    'meta nfproto ipv4 ip daddr 127.0.0.0/8 return',
    'meta nfproto ipv6 ip6 daddr ::1 return',
    ...lookups('new', 'packet', count('')),
    ...families.flatMap((f) => {
      const to = `meta nfproto ipv${f} ${ports} dnat ${ip[f]} to`;
      return [
        `${to} meta l4proto . th dport map @dnat${f}_any`,
        `${to} meta l4proto . ${ip[f]} daddr . th dport map @dnat${f}`,
        `${to} meta l4proto . ${ip[f]} daddr . th dport map @dnat${f}_range`,
        `meta nfproto ipv${f} ${ports} meta l4proto . ${ip[f]} daddr . th dport vmap @shifted${f}`,
      ];
    }),
  ]);
  const local = `${ports} fib daddr type local jump`;
  table.chain(
    'nat_pre',
    [`${local} translate`, `${local} trigger_in`],
    'type nat hook prerouting priority dstnat - 5; policy accept;',
  );
  table.chain('nat_out', [`${local} translate`], 'type nat hook output priority -105; policy accept;');

  // what its source looks like: a host on the target's own link must get its answer back through here
  table.chain('masq', ['oifname != "lo" masquerade']);
  table.chain('hairpin', [
    'oifname "lo" return',
    ...families.map((f) => `meta nfproto ipv${f} ${ip[f]} saddr . ${ip[f]} daddr @link${f} masquerade`),
    'fib saddr type local masquerade',
  ]);
  table.chain('source', ['jump trigger_new', ...lookups('snat', 'connection', branch)]);
  table.chain(
    'nat_post',
    ['ct status dnat jump source'],
    'type nat hook postrouting priority srcnat - 5; policy accept;',
  );

  // how much; every packet of a mapped connection comes by here, from outside, from this machine, or to it
  table.chain('count_in', lookups('in', 'connection', count(' accept')));
  table.chain('count_out', lookups('out', 'connection', count(' accept')));
  table.chain('count', [
    'ct direction original jump count_in',
    'ct direction reply jump count_out',
    ...lookups('shape', 'connection', branch),
    'jump trigger_use',
  ]);
  table.chain(
    'forward',
    ['ct status dnat goto count', 'jump routed', 'jump trigger_on'],
    'type filter hook forward priority filter - 5; policy accept;',
  );
  table.chain(
    'input',
    ['ct status dnat goto count', 'jump trigger_closed'],
    'type filter hook input priority filter - 5; policy accept;',
  );
  table.chain('output', ['ct status dnat goto count'], 'type filter hook output priority filter - 5; policy accept;');
  for (const name of ['routed', 'trigger_in', 'trigger_new', 'trigger_on', 'trigger_use', 'trigger_closed'])
    table.chain(name, []);
}

/** Rules for mappings to addresses that need no translation; the chain stays empty where there are none. */
export function addRouted(table: RulesetBuilder): void {
  table.chain(
    'routed',
    families.map(
      (f) =>
        `meta nfproto ipv${f} ${ports} meta l4proto . ct original ${ip[f]} daddr . ct original proto-dst @routed${f} goto routed_count`,
    ),
  );
  table.chain('routed_count', [
    'ct state new ct direction original jump guard',
    'meta l4proto tcp tcp flags & (fin | syn | rst | ack) == syn jump routed_new',
    'meta l4proto udp ct state new jump routed_new',
    'goto count',
  ]);
  table.chain('routed_new', lookups('new', 'packet', count('')));
}
