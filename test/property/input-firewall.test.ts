import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { NftObject } from '../../src/gateways/nftables/command.ts';
import { hookChains } from '../../src/gateways/nftables/input/nft-rules.ts';
import { nftTables } from '../../src/gateways/nftables/input/nft-tables.ts';
import { mayPass } from '../../src/gateways/nftables/input/walk.ts';
import {
  type AddressSet,
  difference,
  intersection,
  isIn,
  isMost,
  isSame,
  network,
  union,
} from '../../src/model/address-set.ts';

const size = 24;
const span = fc
  .tuple(fc.nat(size - 1), fc.nat(6))
  .map(([first, length]) => [{ first: BigInt(first), last: BigInt(first + length) }] as AddressSet);
const set = fc.array(span, { maxLength: 6 }).map((spans) => union(...spans));

test('sets of addresses hold what their parts say, in order and without touching spans', () => {
  fc.assert(
    fc.property(set, set, (a, b) => {
      const found = { union: union(a, b), intersection: intersection(a, b), difference: difference(a, b) };
      for (let i = 0n; i < size + 8; i++) {
        const [inA, inB] = [isIn(i, a), isIn(i, b)];
        expect(isIn(i, found.union)).toBe(inA || inB);
        expect(isIn(i, found.intersection)).toBe(inA && inB);
        expect(isIn(i, found.difference)).toBe(inA && !inB);
      }
      for (const spans of Object.values(found)) {
        spans.forEach(({ first, last }, i) => {
          expect(last).toBeGreaterThanOrEqual(first);
          const next = spans[i + 1];
          if (next !== undefined) expect(next.first).toBeGreaterThan(last);
        });
      }
      expect(isSame(union(difference(a, b), intersection(a, b)), a)).toBe(true);
    }),
  );
});

test.each([
  ['0.0.0.0', 1, false],
  ['0.0.0.0', 0, true],
])('%s/%d is most of all addresses: %s', (address, length, most) => {
  expect(isMost(network(address, length) ?? [], 4)).toBe(most);
});

/** A rule in small: what it matches, whether something unknown lets it, and what it does. */
interface Small {
  readonly sources: { readonly of: readonly number[]; readonly not: boolean } | null;
  readonly ports: { readonly first: number; readonly last: number; readonly not: boolean } | null;
  readonly luck: boolean | null;
  readonly end: 'accept' | 'drop' | 'return' | 'jump 1' | 'goto 1' | 'jump 2' | 'goto 2' | 'none';
}

const small: fc.Arbitrary<Small> = fc.record({
  sources: fc.option(fc.record({ of: fc.uniqueArray(fc.nat(3), { minLength: 1 }), not: fc.boolean() })),
  ports: fc.option(
    fc
      .tuple(fc.nat(5), fc.nat(5), fc.boolean())
      .map(([a, b, not]) => ({ first: Math.min(a, b), last: Math.max(a, b), not })),
  ),
  luck: fc.option(fc.boolean()),
  end: fc.constantFrom('accept', 'drop', 'return', 'jump 1', 'goto 1', 'jump 2', 'goto 2', 'none'),
});

/** Chain 0 is the base; a chain leads on only to those after it, or there would be loops the kernel refuses. */
const chains = fc
  .tuple(fc.array(small, { maxLength: 5 }), fc.array(small, { maxLength: 4 }), fc.array(small, { maxLength: 3 }))
  .map((all) =>
    all.map((rules, i) =>
      rules.map((rule): Small => (Number(rule.end.slice(-1)) <= i ? { ...rule, end: 'none' } : rule)),
    ),
  );

const addressOf = (source: number) => `10.0.0.${source}`;

function expression({ sources, ports, luck, end }: Small): object[] {
  const expr: object[] = [];
  const match = (protocol: string, field: string, right: object, not: boolean) =>
    expr.push({ match: { op: not ? '!=' : '==', left: { payload: { protocol, field } }, right } });
  if (sources !== null) match('ip', 'saddr', { set: sources.of.map(addressOf) }, sources.not);
  if (ports !== null) match('tcp', 'dport', { range: [ports.first, ports.last] }, ports.not);
  if (luck !== null) expr.push({ limit: { rate: 1, per: 'second' } });
  const [verdict = '', target] = end.split(' ');
  if (verdict !== 'none') expr.push({ [verdict]: target === undefined ? null : { target: `c${target}` } });
  return expr;
}

/** What the kernel would do with one packet. */
function passes(all: readonly (readonly Small[])[], policy: 'accept' | 'drop', source: number, port: number): boolean {
  const walk = (chain: number): 'accept' | 'drop' | 'return' => {
    for (const { sources, ports, luck, end } of all[chain] ?? []) {
      if (sources !== null && sources.of.includes(source) === sources.not) continue;
      if (ports !== null && (ports.first <= port && port <= ports.last) === ports.not) continue;
      if (luck === false) continue;
      if (end === 'none') continue;
      if (end === 'accept' || end === 'drop' || end === 'return') return end;
      const ended = walk(Number(end.slice(-1)));
      if (ended !== 'return' || end.startsWith('goto')) return ended;
    }
    return 'return';
  };
  const verdict = walk(0);
  return (verdict === 'return' ? policy : verdict) === 'accept';
}

test('whoever the kernel would let in is among those said to get in, and without luck nobody else', () => {
  fc.assert(
    fc.property(chains, fc.constantFrom('accept' as const, 'drop' as const), fc.nat(5), (all, policy, port) => {
      const objects = all.flatMap((rules, i): NftObject[] => [
        {
          chain: {
            family: 'inet',
            table: 't',
            name: `c${i}`,
            ...(i === 0 && { type: 'filter', hook: 'input', policy }),
          },
        },
        ...rules.map((rule) => ({ rule: { family: 'inet', table: 't', chain: `c${i}`, expr: expression(rule) } })),
      ]);
      const [table] = nftTables(objects);
      const [input] = table === undefined ? [] : hookChains(table, 'input', () => null);
      if (input === undefined) throw new Error('no input chain');
      const packet = { destination: null, interface: null, states: ['new'], translated: false } as const;
      const found = mayPass(input, { ...packet, family: 4, transport: 'tcp', port });
      const lucky = all.flat().some(({ luck }) => luck !== null);
      for (let source = 0; source < 5; source++) {
        const said = isIn(BigInt(0x0a000000 + source), found);
        const real = passes(all, policy, source, port);
        if (real || !lucky) expect(said).toBe(real);
      }
    }),
    { numRuns: 1000 },
  );
});
