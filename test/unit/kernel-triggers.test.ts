import { describe, expect, test } from 'vitest';
import { buildRuleset } from '../../src/gateways/nftables/build.ts';
import { checkTriggers } from '../../src/gateways/nftables/check-triggers.ts';
import { type KernelTrigger, triggerId } from '../../src/gateways/nftables/kernel-triggers.ts';
import type { MachineLinks } from '../../src/gateways/nftables/links.ts';
import { rule } from '../support/nftables.ts';

const trigger = (more: Partial<KernelTrigger> = {}): KernelTrigger => ({
  name: 'irc',
  on: [{ proto: 'tcp', first: 6660, last: 6669 }],
  open: [{ proto: 'tcp', first: 113, last: 113 }],
  idleMs: 600_000,
  second: 'first',
  from: [],
  to: [],
  bind: null,
  maxOpenMs: null,
  closeFlows: false,
  allow: [],
  deny: [],
  ...more,
});
const links = (more: Partial<MachineLinks> = {}): MachineLinks => ({
  networks: [],
  addresses: [
    { address: '127.0.0.1', interface: 'lo' },
    { address: '192.168.1.1', interface: 'br0' },
    { address: '203.0.113.5', interface: 'wan0' },
  ],
  defaultInterface: 'ppp0',
  ...more,
});
const check = (one: KernelTrigger, where = links(), rules = [rule('web', 80, 80)]) => {
  const { accepted, refused } = checkTriggers([one], rules, where);
  return accepted[0] ?? refused.get(one.name);
};

describe('the outside of a trigger', () => {
  test.each([
    [null, links(), 'ppp0', null],
    [null, links({ defaultInterface: null }), 'wan0', null],
    ['0.0.0.0', links(), 'ppp0', null],
    ['eth7', links(), 'eth7', null],
    ['203.0.113.5', links(), 'wan0', '203.0.113.5'],
  ])('%s', (bind, where, outside, address) => {
    expect(check(trigger({ bind }), where)).toMatchObject({ outside, address });
  });

  test('is asked for where nothing says which it is', () => {
    const addresses = [
      { address: '192.168.1.1', interface: 'br0' },
      { address: '10.0.0.1', interface: 'wan0' },
    ];
    expect(check(trigger(), links({ defaultInterface: null, addresses }))).toMatchObject({
      code: 'gateway_missing',
      hint: expect.stringContaining('one of br0, wan0'),
    });
  });
});

test.each([
  [{ open: [{ proto: 'tcp', first: 70, last: 90 }] }, 'conflict'],
  [{ open: [{ proto: 'udp', first: 90, last: 70 }] }, 'bad_value'],
  [{ open: [] }, 'bad_value'],
  [{ idleMs: 10 }, 'bad_value'],
  [{ maxOpenMs: 10 }, 'bad_value'],
  [{ from: ['lan'] }, 'bad_value'],
  [{ bind: 'a"; drop' }, 'bad_value'],
  [{ bind: '198.51.100.1' }, 'address_unavailable'],
] as [Partial<KernelTrigger>, string][])('%j is refused', (more, code) => {
  expect(check(trigger(more))).toMatchObject({ code });
});

test('ranges of one trigger that overlap are one', () => {
  const open = [
    { proto: 'tcp', first: 113, last: 120 },
    { proto: 'tcp', first: 115, last: 130 },
  ] as const;
  expect(check(trigger({ open }))).toMatchObject({ open: [{ proto: 'tcp', first: 113, last: 130 }] });
});

test('a set with one place is swept often, so that a host whose time is over keeps the next one out for a moment only', () => {
  const { accepted } = checkTriggers([trigger()], [], links());
  const host = buildRuleset([], accepted, []).objects.get(`${triggerId('irc')}_host4`);
  expect(host?.body).toMatch(/size 1;.* gc-interval 100ms$/);
});

test('a hundred triggers are elements of the same maps, and chains only their own packets visit', () => {
  const many = Array.from({ length: 100 }, (_, i) =>
    trigger({
      name: `t${i}`,
      on: [{ proto: 'tcp', first: 1000 + i, last: 1010 + i }],
      open: [{ proto: 'tcp', first: 20_000 + i, last: 20_000 + i }],
    }),
  );
  const { accepted } = checkTriggers(many, [], links());
  const table = buildRuleset([], accepted, []);
  expect(table.objects.get('forward')?.rules).toEqual(
    buildRuleset([], accepted.slice(0, 1), []).objects.get('forward')?.rules,
  );
  expect(table.objects.get('trigger_on')?.rules?.length).toBe(2);
  const on = table.elements.get('trigger_on_m') ?? new Map();
  expect(on.get('tcp . 1000')).toBe(`jump ${triggerId('t0')}_claim`);
  const several = /jump (\w+)/.exec(on.get('tcp . 1001') ?? '')?.[1] ?? '';
  expect(table.objects.get(several)?.rules?.toSorted()).toEqual(
    [`jump ${triggerId('t0')}_claim`, `jump ${triggerId('t1')}_claim`].toSorted(),
  );
});
