import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Kernel, NftObject } from '../../src/gateways/nftables/command.ts';
import { readInputFirewall } from '../../src/gateways/nftables/input/read.ts';
import type { Transport } from '../../src/model/ports.ts';

const fixture = (name: string) => readFileSync(new URL(`../fixtures/firewalls/${name}`, import.meta.url), 'utf8');
const objectsOf = (name: string): NftObject[] =>
  fixture(name)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as NftObject);

interface Machine {
  readonly objects?: readonly NftObject[];
  /** What `iptables -S` prints, by `nft ip filter` and the like. */
  readonly iptables?: Readonly<Record<string, string>>;
  /** Interfaces with their addresses. */
  readonly links?: Readonly<Record<string, readonly string[]>>;
  /** The interface of the default route. */
  readonly uplink?: string;
}

/** A machine whose programs answer with what they printed elsewhere; terse listings leave elements out, as nft does. */
function kernel({ objects = [], iptables = {}, links = {}, uplink = 'eth0' }: Machine, asked: string[] = []): Kernel {
  const not = () => Promise.reject(new Error('only read'));
  const named = (object: NftObject) => object.set ?? object.map;
  return {
    apply: not,
    conntrack: not,
    setSysctl: not,
    sysctl: async () => null,
    listText: async () => null,
    async list(...args) {
      asked.push(args.join(' '));
      if (args[0] === '-t') {
        return objects
          .filter((object) => args[2] === 'ruleset' || object.chain !== undefined)
          .map((object) => {
            const kind = object.set ? 'set' : 'map';
            const { elem: _, ...rest } = named(object) ?? {};
            return named(object) ? { [kind]: rest } : object;
          });
      }
      const [, kind, family, table, name] = args;
      const found = objects.filter((object) => {
        const one = object[kind ?? ''];
        return one?.family === family && one?.table === table && one?.name === name;
      });
      return found.length === 0 ? null : found;
    },
    legacyTables: async (family) =>
      Object.keys(iptables).flatMap((key) => (key.startsWith(`legacy ${family} `) ? (key.split(' ')[2] ?? []) : [])),
    iptablesRules: async (variant, family, table = 'filter') => iptables[`${variant} ${family} ${table}`] ?? null,
    async ip(...args) {
      if (args.includes('route')) return [{ dst: 'default', dev: uplink }];
      return Object.entries({ lo: ['127.0.0.1', '::1'], ...links }).map(([ifname, own]) => ({
        ifname,
        addr_info: own.map((local) => ({ local })),
      }));
    },
  };
}

const ours = /^sallyport_/;

/** Who gets through to ports written as `tcp 0.0.0.0 80`; `all` where nothing is claimed. */
async function reaches(machine: Machine, ...ports: string[]): Promise<string[]> {
  const firewall = await readInputFirewall(kernel(machine), ours);
  return ports.map((text) => {
    const [proto, address = '', port] = text.split(' ');
    return firewall.admits(proto as Transport, address, Number(port)) ?? 'all';
  });
}

const links = { eth0: ['203.0.113.5', 'fe80::5'], docker0: ['172.17.0.1'] };

/** Rules of one native input chain, given as nft's JSON has them. */
const chain = (policy: string, ...rules: object[][]): NftObject[] => [
  { chain: { family: 'inet', table: 'fw', name: 'in', type: 'filter', hook: 'input', prio: 0, policy } },
  ...rules.map((expr): NftObject => ({ rule: { family: 'inet', table: 'fw', chain: 'in', expr } })),
];
const match = (left: object, right: unknown, op = '==') => ({ match: { op, left, right } });
const payload = (protocol: string, field: string) => ({ payload: { protocol, field } });
const dport = (right: unknown, op = '==') => match(payload('tcp', 'dport'), right, op);
const saddr = (right: unknown, op = '==') => match(payload('ip', 'saddr'), right, op);
const iifname = (right: unknown, op = '==') => match({ meta: { key: 'iifname' } }, right, op);
const lan = { prefix: { addr: '192.168.0.0', len: 16 } };
const accept = { accept: null };
const drop = { drop: null };

describe('ufw', () => {
  const ufw = {
    objects: objectsOf('ufw.jsonl'),
    iptables: { 'nft ip filter': fixture('ufw-ip.txt'), 'nft ip6 filter': fixture('ufw-ip6.txt') },
    links,
  };

  test.each([
    ['tcp 0.0.0.0 22', 'all'],
    ['tcp :: 22', 'all'],
    ['tcp 0.0.0.0 9000', 'host'],
    ['tcp :: 9000', 'host'],
    ['tcp 203.0.113.5 9000', 'host'],
    ['tcp 0.0.0.0 2222', 'all'],
    ['tcp 0.0.0.0 8080', 'lan'],
    ['tcp :: 8080', 'lan'],
    ['udp 0.0.0.0 8080', 'host'],
    ['tcp 0.0.0.0 8443', 'all'],
    ['udp 0.0.0.0 6005', 'all'],
    ['udp 0.0.0.0 6011', 'host'],
    ['tcp 0.0.0.0 443', 'all'],
    ['tcp 0.0.0.0 5000', 'host'],
    ['udp 0.0.0.0 5353', 'all'],
    ['udp 203.0.113.5 5353', 'host'],
  ])('%s: %s', async (port, who) => {
    expect(await reaches(ufw, port)).toEqual([who]);
  });

  test('allows a port on one interface, and who is behind that counts', async () => {
    const inside = { ...ufw, links: { eth0: ['10.1.1.1'], wan: ['203.0.113.5'] }, uplink: 'wan' };
    expect(await reaches(inside, 'tcp 0.0.0.0 8443')).toEqual(['lan']);
    // The interface is not there, and may come back with any address.
    expect(await reaches({ ...ufw, links: { wan: ['203.0.113.5'] } }, 'tcp 0.0.0.0 8443')).toEqual(['all']);
  });

  test('says nothing where its program is not there to print its rules', async () => {
    expect(await reaches({ ...ufw, iptables: {} }, 'tcp 0.0.0.0 9000', 'tcp 0.0.0.0 8080')).toEqual(['all', 'all']);
    const half = { ...ufw, iptables: { 'nft ip filter': fixture('ufw-ip.txt') } };
    expect(await reaches(half, 'tcp 0.0.0.0 9000', 'tcp :: 9000')).toEqual(['host', 'all']);
  });

  test('is not taken at its word for a rule that others put into its chain', async () => {
    const at = (object: NftObject, name: string) => object.rule?.family === 'ip' && object.rule.chain === name;
    const first = ufw.objects.findIndex((object) => at(object, 'ufw-user-input'));
    const expr = [match(payload('ip', 'saddr'), '@some'), drop];
    const put = { rule: { family: 'ip', table: 'filter', chain: 'ufw-user-input', expr } };
    const objects = [...ufw.objects.slice(0, first), put, ...ufw.objects.slice(first)];
    // iptables 1.8.9 prints it without the match it does not know.
    const print = (line: string) => fixture('ufw-ip.txt').replace('-A ufw-user-input', `${line}\n-A ufw-user-input`);
    const printed = { ...ufw.iptables, 'nft ip filter': print('-A ufw-user-input -j DROP') };
    expect(await reaches({ ...ufw, objects, iptables: printed }, 'tcp 0.0.0.0 443', 'tcp 0.0.0.0 9000')).toEqual([
      'all',
      'host',
    ]);
    // A rule that came between the two listings.
    const late = { ...ufw.iptables, 'nft ip filter': print('-A ufw-user-input -p tcp -j DROP') };
    expect(await reaches({ ...ufw, iptables: late }, 'tcp 0.0.0.0 443')).toEqual(['all']);
    const garbled = fixture('ufw-ip.txt').replace(/-m multiport --dports/g, '-m multiport [unsupported revision]');
    expect(await reaches({ ...ufw, iptables: { 'nft ip filter': garbled } }, 'udp 0.0.0.0 9000')).toEqual(['all']);
  });

  test('is not taken at its word for a match it leaves out', async () => {
    const input: NftObject = {
      chain: { family: 'ip', table: 'filter', name: 'INPUT', type: 'filter', hook: 'input', policy: 'accept' },
    };
    const at = (...expr: object[]): NftObject => ({ rule: { family: 'ip', table: 'filter', chain: 'INPUT', expr } });
    const listing = '-P INPUT ACCEPT\n-A INPUT -m conntrack --ctstate NEW -j REJECT\n';
    const said = (...expr: object[]) =>
      reaches({ objects: [input, at(...expr)], iptables: { 'nft ip filter': listing }, links }, 'tcp 0.0.0.0 80');
    expect(await said({ xt: null }, { xt: null })).toEqual(['host']);
    expect(await said(match({ meta: { key: 'mark' } }, 1), { xt: null }, { xt: null })).toEqual(['all']);
    expect(await said(saddr(lan, '!='), { xt: null }, { xt: null })).toEqual(['lan']);
  });

  test.each([
    ['-A INPUT -p tcp -j DROP', 'host'],
    ['-A INPUT -p tcp -m tcp --dport 80:90 -j DROP', 'host'],
    ['-A INPUT -p tcp -m tcp ! --dport 22 -m comment --comment "a -j ACCEPT" -j DROP', 'host'],
    ['-A INPUT ! -s 192.168.0.0/16 -p tcp -j REJECT --reject-with tcp-reset', 'lan'],
    ['-A INPUT -i lo+ -p tcp -j DROP', 'all'],
    ['-A INPUT ! -i lo -p tcp -j DROP', 'host'],
    ['-A INPUT -p tcp -m socket -j DROP', 'all'],
    ['-A INPUT -p tcp -m conntrack --ctdir ORIGINAL -j DROP', 'all'],
    ['-A INPUT -p tcp -m conntrack [unsupported revision] -j DROP', 'all'],
    ['-A INPUT -p tcp -m tcp --sport 53 -j DROP', 'all'],
    ['-A INPUT -p tcp -j LOG --log-prefix "-j DROP"', 'all'],
    ['-A INPUT -p tcp -j NFQUEUE --queue-num 1\n-A INPUT -j DROP', 'all'],
    ['-N a\n-A INPUT -p tcp -g a\n-A INPUT -j DROP\n-A a -s 10.0.0.0/8 -j RETURN', 'all'],
    ['-N a\n-A INPUT -p tcp -j a\n-A INPUT -j DROP\n-A a -s 10.0.0.0/8 -j ACCEPT', 'lan'],
  ])('line %j of iptables: %s', async (lines, who) => {
    const iptables = { 'legacy ip filter': `-P INPUT ACCEPT\n${lines}\n` };
    expect(await reaches({ iptables, links }, 'tcp 0.0.0.0 80')).toEqual([who]);
  });

  test('is read through the older kernel interface as well', async () => {
    const legacy = { 'legacy ip filter': fixture('ufw-ip.txt') };
    expect(await reaches({ iptables: legacy, links }, 'tcp 0.0.0.0 9000', 'tcp :: 9000', 'tcp 0.0.0.0 8080')).toEqual([
      'host',
      'all',
      'lan',
    ]);
  });
});

describe('a port that is translated before', () => {
  const closed = chain('drop');
  const docker = [
    '-P PREROUTING ACCEPT',
    '-N DOCKER',
    '-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER',
    '-A DOCKER -i docker0 -j RETURN',
    '-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80',
    '',
  ].join('\n');
  const nat = (name: string, jump: object[] = [], type = 'nat'): NftObject[] => [
    { chain: { family: 'ip', table: 'nat', name, ...(name === 'PREROUTING' && { type, hook: 'prerouting' }) } },
    ...jump.map((one): NftObject => ({ rule: { family: 'ip', table: 'nat', chain: name, expr: [one].flat() } })),
  ];
  const jump = [{ xt: null }, { jump: { target: 'DOCKER' } }];
  const dnat = [
    { match: { op: '!=', left: { meta: { key: 'iifname' } }, right: 'docker0' } },
    { xt: null },
    { xt: null },
  ];
  const tables = [
    ...closed,
    ...nat('PREROUTING', [jump]),
    ...nat('DOCKER', [[iifname('docker0'), { return: null }], dnat]),
  ];
  const ports = ['tcp 0.0.0.0 8080', 'tcp 0.0.0.0 8081', 'udp 0.0.0.0 8080', 'tcp :: 8080', 'tcp 2001:db8::1 8080'];

  test('is not closed by what stands at the input hook', async () => {
    const said = ['all', 'host', 'host', 'all', 'host'];
    expect(await reaches({ objects: tables, iptables: { 'nft ip nat': docker } }, ...ports)).toEqual(said);
    expect(await reaches({ objects: closed, iptables: { 'legacy ip nat': docker } }, ...ports)).toEqual(said);
    const native = nat('PREROUTING', [[dport({ set: [8080, 8090] }), { dnat: { addr: '10.0.0.9' } }]]);
    expect(await reaches({ objects: [...closed, ...native] }, ...ports)).toEqual(said);
  });

  test('is any, where the rules cannot be read', async () => {
    expect(await reaches({ objects: tables }, ...ports)).toEqual(['all', 'all', 'all', 'all', 'host']);
  });

  test('is none that the chain lets be, and no chain translates but one for that', async () => {
    const spared = nat('PREROUTING', [[dport(8080), accept], { dnat: { addr: '10.0.0.9' } }]);
    expect(await reaches({ objects: [...closed, ...spared] }, ...ports)).toEqual([
      'host',
      'all',
      'all',
      'host',
      'host',
    ]);
    const filter = nat(
      'PREROUTING',
      [[dport(8080), { mangle: { key: { meta: { key: 'mark' } }, value: 1 } }]],
      'filter',
    );
    expect(await reaches({ objects: [...closed, ...filter] }, ...ports)).toEqual(Array(5).fill('host'));
  });
});

describe('firewalld', () => {
  const objects = objectsOf('firewalld.jsonl');
  const alone = { objects, links: { eth0: links.eth0 } };
  const withDocker = { objects, links };

  test.each([
    ['tcp 0.0.0.0 22', 'all'],
    ['tcp 0.0.0.0 443', 'all'],
    ['tcp 0.0.0.0 8080', 'lan'],
    ['tcp 0.0.0.0 9090', 'lan'],
    ['tcp 0.0.0.0 9999', 'lan'],
    ['tcp :: 9999', 'lan'],
    ['udp 0.0.0.0 137', 'lan'],
  ])('%s: %s, for containers at least', async (port, who) => {
    expect(await reaches(withDocker, port)).toEqual([who]);
  });

  test('names an interface that is not there', async () => {
    expect(await reaches(alone, 'tcp 0.0.0.0 9999')).toEqual(['all']);
    const bound = objects.filter((object) => !JSON.stringify(object).includes('"right":"docker0"'));
    const zones = { ...alone, objects: bound };
    expect(await reaches(zones, 'tcp 0.0.0.0 9999', 'tcp 0.0.0.0 9090', 'tcp 0.0.0.0 443')).toEqual([
      'host',
      'lan',
      'all',
    ]);
  });

  const nat = (...expr: object[]): NftObject[] => [
    { chain: { family: 'ip', table: 'other', name: 'pre', type: 'nat', hook: 'prerouting', prio: -100 } },
    { rule: { family: 'ip', table: 'other', chain: 'pre', expr } },
  ];
  const both = (more: NftObject[], iptables = {}) =>
    reaches({ objects: [...objects, ...more], iptables, links }, 'tcp 0.0.0.0 9999', 'tcp 0.0.0.0 9998');

  test('lets in what was translated, so a port that others lead to is not called closed', async () => {
    expect(await both(nat(dport(80), { redirect: { port: 9999 } }))).toEqual(['all', 'lan']);
    expect(await both(nat(dport(80), { redirect: null }))).toEqual(['all', 'all']);
    expect(await both(nat(dport(80), { dnat: { addr: '203.0.113.5', port: 9998 } }))).toEqual(['lan', 'all']);
    expect(await both(nat(dport(80), { dnat: { addr: '127.0.0.1', port: 9999 } }))).toEqual(['all', 'lan']);
    expect(await both(nat(dport(80), { dnat: { addr: '172.17.0.2', port: 9999 } }))).toEqual(['lan', 'lan']);
    expect(await both(nat(dport(80), { dnat: { addr: { map: {} }, port: 9999 } }))).toEqual(['all', 'lan']);
  });

  test('knows the translations of iptables too', async () => {
    const docker: NftObject[] = [
      { chain: { family: 'ip', table: 'nat', name: 'PREROUTING', type: 'nat', hook: 'prerouting', prio: -100 } },
      { rule: { family: 'ip', table: 'nat', chain: 'PREROUTING', expr: [{ xt: null }] } },
    ];
    const lines = (...more: string[]) => ['-P PREROUTING ACCEPT', ...more, ''].join('\n');
    const dnat = (to: string) => ({
      'nft ip nat': lines(`-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination ${to}`),
    });
    expect(await both(docker, dnat('172.17.0.2:9999'))).toEqual(['lan', 'lan']);
    expect(await both(docker, dnat('203.0.113.5:9999'))).toEqual(['all', 'lan']);
    expect(await both(docker, dnat('203.0.113.5'))).toEqual(['all', 'all']);
    expect(await both(docker)).toEqual(['all', 'all']);
    const redirect = lines('-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9998');
    expect(await both([], { 'legacy ip nat': redirect })).toEqual(['lan', 'all']);
  });
});

// As nft 1.0.6 lists hand.nft, with the elements of its sets.
describe('a ruleset written by hand', () => {
  const hand = {
    objects: objectsOf('hand.jsonl'),
    links: { eth0: ['203.0.113.5', '2001:db8::5'], br0: ['192.168.77.1'] },
  };

  test.each([
    ['tcp 0.0.0.0 80', 'all'],
    ['tcp 0.0.0.0 81', 'host'],
    ['tcp :: 81', 'host'],
    ['tcp 0.0.0.0 8080', 'all'],
    ['tcp 2001:db8::5 8080', 'all'],
    ['tcp 0.0.0.0 8081', 'host'],
    ['udp 0.0.0.0 8080', 'host'],
    ['tcp 0.0.0.0 22', 'world'],
    ['tcp :: 6379', 'world'],
    ['tcp 2001:db8::5 22', 'host'],
    ['tcp 0.0.0.0 7000', 'host'],
    ['tcp 0.0.0.0 7001', 'all'],
    ['tcp 0.0.0.0 2049', 'lan'],
    ['tcp :: 2049', 'all'],
    ['tcp 0.0.0.0 5000', 'all'],
    ['udp 0.0.0.0 53', 'lan'],
    ['tcp 192.168.77.1 53', 'lan'],
    ['tcp 0.0.0.0 9100', 'lan'],
    ['tcp 0.0.0.0 9200', 'lan'],
    ['tcp 0.0.0.0 9201', 'host'],
    ['tcp 0.0.0.0 9999', 'all'],
    ['tcp 192.168.77.1 9999', 'all'],
    ['tcp 203.0.113.5 9999', 'host'],
    ['udp 0.0.0.0 60001', 'all'],
    ['tcp 0.0.0.0 4444', 'all'],
    ['tcp 0.0.0.0 4445', 'all'],
    ['tcp 0.0.0.0 113', 'host'],
    ['tcp 0.0.0.0 7777', 'host'],
    ['tcp 0.0.0.0 9', 'lan'],
    ['tcp 0.0.0.0 10', 'host'],
  ])('%s: %s', async (port, who) => {
    expect(await reaches(hand, port)).toEqual([who]);
  });

  test('only the sets that narrow something are read', async () => {
    const asked: string[] = [];
    await readInputFirewall(kernel(hand, asked), ours);
    expect(asked.filter((args) => !args.startsWith('-t')).sort()).toEqual([
      'list map inet filter services',
      'list set inet filter admins',
      'list set inet filter public_ports',
      'list set inet filter services',
    ]);
  });
});

describe('what is not certain', () => {
  const only = (objects: NftObject[], more: Partial<Machine> = {}) =>
    reaches({ objects, links, ...more }, 'tcp 0.0.0.0 80').then(([who]) => who);

  test.each<[string, object[][], string]>([
    ['a drop that may not hit', [[{ limit: { rate: 1, per: 'second' } }, drop]], 'all'],
    ['an accept that may hit', [[{ limit: { rate: 1, per: 'second' } }, accept], [drop]], 'all'],
    ['an accept that may hit, for some', [[saddr(lan), { limit: { rate: 1 } }, accept], [drop]], 'lan'],
    ['a statement nobody knows', [[{ frobnicate: 1 }], [drop]], 'all'],
    ['a verdict for programs', [[{ queue: { num: 1 } }], [drop]], 'all'],
    ['an unknown comparison', [[dport(80, '~'), accept], [drop]], 'all'],
    ['a mark', [[match({ meta: { key: 'mark' } }, 1, '!='), drop]], 'all'],
    ['a block list', [[saddr('198.51.100.7'), drop], [dport(80), accept], [drop]], 'all'],
    ['a block list turned round', [[saddr('198.51.100.7', '!='), accept], [drop]], 'all'],
    ['a packet of its own port', [[match(payload('tcp', 'sport'), 53), accept], [drop]], 'all'],
    ['the neighbour by hardware', [[match(payload('ether', 'saddr'), '02:00:00:00:00:01'), accept], [drop]], 'all'],
    ['a set nobody lists', [[saddr('@gone'), accept], [drop]], 'all'],
    ['a map nobody lists', [[{ vmap: { key: payload('tcp', 'dport'), data: '@gone' } }], [drop]], 'all'],
    ['a chain nobody lists', [[{ jump: { target: 'gone' } }], [drop]], 'all'],
    ['a chain into itself', [[{ jump: { target: 'in' } }, accept]], 'all'],
  ])('%s', async (_, rules, who) => {
    expect(await only(chain('accept', ...rules))).toBe(who);
  });

  test('a set that passing packets change', async () => {
    const set = { family: 'inet', table: 'fw', name: 'knock', type: 'ipv4_addr', elem: ['10.0.0.1'] };
    const open = chain('drop', [saddr('@knock'), accept]);
    expect(await only([{ set }, ...open])).toBe('lan');
    expect(await only([{ set: { ...set, flags: ['timeout'] } }, ...open])).toBe('all');
    const knock = [dport(7), { set: { op: 'add', elem: payload('ip', 'saddr'), set: '@knock' } }];
    expect(await only([{ set }, ...chain('drop', knock, [saddr('@knock'), accept])])).toBe('all');
  });

  test('another header in front of that of TCP', async () => {
    const rules = [match(payload('ip6', 'nexthdr'), 'tcp'), drop];
    expect(await reaches({ objects: chain('accept', rules), links }, 'tcp 2001:db8::5 80')).toEqual(['all']);
    const l4proto = [match({ meta: { key: 'l4proto' } }, 'tcp'), drop];
    expect(await reaches({ objects: chain('accept', l4proto), links }, 'tcp 2001:db8::5 80')).toEqual(['host']);
  });

  test('who it is not narrows where the family is the only one', async () => {
    const [v4, v6] = await reaches(
      { objects: chain('accept', [saddr(lan, '!='), drop]), links },
      'tcp 0.0.0.0 80',
      'tcp :: 80',
    );
    expect([v4, v6]).toEqual(['lan', 'all']);
  });

  test('connections that are not tracked are not new ones', async () => {
    const rules = chain('drop', [match({ ct: { key: 'state' } }, 'untracked', 'in'), accept]);
    const raw = { rule: { family: 'ip', table: 'raw', chain: 'pre', expr: [{ notrack: null }] } };
    expect(await only(rules)).toBe('host');
    expect(await only([...rules, raw])).toBe('all');
    const fresh = chain('accept', [match({ ct: { key: 'state' } }, 'new', 'in'), drop]);
    expect(await only(fresh)).toBe('host');
    expect(await only([...fresh, raw])).toBe('all');
    const legacy = { 'legacy ip raw': '-P PREROUTING ACCEPT\n-A PREROUTING -p tcp -j CT --notrack\n' };
    expect(await only(rules, { iptables: legacy })).toBe('all');
  });

  test('what is steered past its port is not claimed', async () => {
    const closed = chain('drop');
    const ahead = (...expr: object[]): NftObject => ({ rule: { family: 'ip', table: 'm', chain: 'pre', expr } });
    expect(await only(closed)).toBe('host');
    expect(await only([...closed, ahead({ tproxy: { port: 80 } })])).toBe('all');
    expect(await only([...closed, ahead({ mangle: { key: payload('tcp', 'dport'), value: 80 } })])).toBe('all');
    expect(await only([...closed, ahead({ mangle: { key: { meta: { key: 'mark' } }, value: 1 } })])).toBe('host');
    const tproxy = { 'legacy ip mangle': '-P PREROUTING ACCEPT\n-A PREROUTING -p tcp -j TPROXY --on-port 80\n' };
    expect(await only(closed, { iptables: tproxy })).toBe('all');
  });

  test('where no one can say what the interfaces are, they are not told apart', async () => {
    const rules = chain('drop', [iifname('docker0'), accept]);
    expect(await only(rules)).toBe('lan');
    const blind: Kernel = { ...kernel({ objects: rules }), ip: () => Promise.reject(new Error('no ip')) };
    expect((await readInputFirewall(blind, ours)).admits('tcp', '0.0.0.0', 80)).toBeNull();
  });
});

describe('several chains', () => {
  const open = chain('accept');
  const closed: NftObject[] = chain('drop').map((object) => ({ chain: { ...object.chain, table: 'second' } }));

  test('must all let it in', async () => {
    expect(await reaches({ objects: [...open, ...closed] }, 'tcp 0.0.0.0 80')).toEqual(['host']);
    expect(await reaches({ objects: [...chain('drop', [accept]), ...closed] }, 'tcp 0.0.0.0 80')).toEqual(['host']);
  });

  test('of one family leave the other alone', async () => {
    const four = closed.map((object) => ({ chain: { ...object.chain, family: 'ip' } }));
    expect(await reaches({ objects: four }, 'tcp 0.0.0.0 80', 'tcp :: 80', 'tcp ::1 80')).toEqual([
      'host',
      'all',
      'all',
    ]);
  });

  test('of a table that sleeps are not at work', async () => {
    const flagged = (flags: unknown) => [{ table: { family: 'inet', name: 'second', flags } }, ...closed];
    expect(await reaches({ objects: flagged('dormant') }, 'tcp 0.0.0.0 80')).toEqual(['all']);
    // As nft 1.0.6 has it, which prints something else in its place.
    expect(await reaches({ objects: flagged('Lester Gooch #5') }, 'tcp 0.0.0.0 80')).toEqual(['all']);
    expect(await reaches({ objects: flagged(['owner', 'persist']) }, 'tcp 0.0.0.0 80')).toEqual(['host']);
  });

  test('of ours are none, nor are those at other hooks', async () => {
    const mine = closed.map((object) => ({ chain: { ...object.chain, table: 'sallyport_x' } }));
    const forward = closed.map((object) => ({ chain: { ...object.chain, hook: 'forward' } }));
    expect(await reaches({ objects: [...mine, ...forward] }, 'tcp 0.0.0.0 80')).toEqual(['all']);
    expect(await reaches({ objects: [...mine, ...forward, ...open] }, 'tcp 0.0.0.0 80')).toEqual(['all']);
  });
});

test('what comes in by an interface is as far as what is routed there', async () => {
  const machine = (more: Partial<Machine>) => ({
    objects: chain('drop', [iifname('eth1'), accept]),
    ...more,
    links: { eth0: ['203.0.113.5'], eth1: ['192.168.1.1'], ...more.links },
  });
  expect(await reaches(machine({}), 'tcp 0.0.0.0 80')).toEqual(['lan']);
  expect(await reaches(machine({ uplink: 'eth1' }), 'tcp 0.0.0.0 80')).toEqual(['all']);
  expect(await reaches(machine({ links: { eth1: ['192.168.1.1', '198.51.100.1'] } }), 'tcp 0.0.0.0 80')).toEqual([
    'all',
  ]);
  expect(await reaches(machine({ links: { eth1: [] } }), 'tcp 0.0.0.0 80')).toEqual(['all']);
  const all = machine({ objects: chain('drop', [iifname('eth*'), accept]) });
  expect(await reaches(all, 'tcp 0.0.0.0 80')).toEqual(['all']);
  const but = machine({ objects: chain('drop', [iifname('eth0', '!='), accept]) });
  expect(await reaches(but, 'tcp 0.0.0.0 80')).toEqual(['lan']);
});
