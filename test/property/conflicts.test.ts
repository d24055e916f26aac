import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Forward } from '../../src/model/config.ts';
import { ClaimBook, findConflict } from '../../src/model/conflicts.ts';

const port = fc.integer({ min: 8000, max: 8012 });
const ports = fc.tuple(port, fc.integer({ min: 0, max: 4 })).map(([first, more]) => ({ first, last: first + more }));
const address = fc.constantFrom(undefined, '*', '127.0.0.1', '::1', '10.0.0.1', '::ffff:10.0.0.1');
const target = { host: '192.168.1.20', port: 80 };

/** What each kind takes, without its name. */
const taking = fc.oneof(
  fc.record({ address, port }).map((listen) => ({ kind: 'local', host: 'box', listen, target })),
  fc.record({ address, port }).map((listen) => ({ kind: 'remote', host: 'box', listen, target })),
  fc.constantFrom('/tmp/a', '/tmp/b').map((socket) => ({ kind: 'local', host: 'box', listen: { socket }, target })),
  fc
    .tuple(fc.constantFrom('relay', 'nftables', 'router'), fc.constantFrom('tcp', 'udp', 'both'), address, ports)
    .map(([via, proto, bind, { first, last }]) => ({
      ...{ kind: 'mapping', via, proto, target },
      listen: { address: via === 'router' ? undefined : bind, port: first, last },
    })),
  fc.tuple(fc.constantFrom('relay', 'nftables'), fc.constantFrom('tcp', 'udp'), ports).map(([via, proto, range]) => ({
    ...{ kind: 'trigger', via, on: { proto: 'tcp', ports: '6667' } },
    open: [{ proto, ports: `${range.first}-${range.last}` }],
  })),
);
const forwards = fc
  .array(taking, { minLength: 2, maxLength: 12 })
  .map((list) => list.map((one, i) => Forward.parse({ ...one, name: `f${i}` })));

test('a book names the holder one would find by asking each forward in turn', () => {
  fc.assert(
    fc.property(forwards, ([asking, ...others]) => {
      const one = asking as Forward;
      const inTurn = others.map((other) => findConflict(one, [other])).find((conflict) => conflict !== null) ?? null;
      expect(new ClaimBook(others).conflict(one)).toEqual(inTurn);
      expect(new ClaimBook([one, ...others]).conflict(one)).toEqual(inTurn);
    }),
    { numRuns: 1000 },
  );
});

test('relays loop where following each port from one to the next comes round', () => {
  const relays = fc
    .array(fc.tuple(port, fc.nat(3), port), { minLength: 2, maxLength: 6 })
    .map((list) =>
      list.map(([first, more, to], i) =>
        Forward.parse({
          ...{ name: `f${i}`, kind: 'mapping', via: 'relay', proto: 'tcp' },
          listen: { port: first, last: first + more },
          target: { host: '127.0.0.1', port: to },
        }),
      ),
    )
    .filter((list) => list.every((one, i) => findConflict(one, list.slice(0, i))?.is !== 'held'));
  const goesRound = (all: readonly Forward[], start: number): boolean => {
    let at = start;
    for (let steps = 0; steps < 100; steps++) {
      const on = all.find((one) => one.kind === 'mapping' && one.listen.port <= at && at <= (one.listen.last ?? 0));
      if (on?.kind !== 'mapping') return false;
      at += on.target.port - on.listen.port;
      // Leading straight to itself is refused before anything else is looked at.
      if (at === start) return steps > 0;
    }
    return false;
  };
  fc.assert(
    fc.property(relays, (all) => {
      const [asking] = all;
      if (asking?.kind !== 'mapping') return;
      const { port: first, last = first } = asking.listen;
      const round = Array.from({ length: last - first + 1 }, (_, i) => goesRound(all, first + i)).some(Boolean);
      expect(new ClaimBook(all).conflict(asking)?.is === 'loop').toBe(round);
    }),
    { numRuns: 2000 },
  );
});
