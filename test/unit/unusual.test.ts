import { describe, expect, test } from 'vitest';
import { KnownPeers, PeerWatch } from '../../src/dataplane/peers.ts';
import { BurstWatch, burstWindowMs, RefusalWatch, refusalWindowMs } from '../../src/model/unusual.ts';

describe('bursts', () => {
  test('told once a window, when it is far above the usual', () => {
    const watch = new BurstWatch();
    const told = Array.from({ length: 200 }, (_, i) => watch.add(1, i)).filter((count) => count !== null);
    expect(told).toEqual([51]);
    expect(watch.add(60, burstWindowMs + 1000)).toBeNull();
  });

  test('a load that goes on is usual', () => {
    const watch = new BurstWatch();
    let told = 0;
    for (let i = 0; i < 30; i++) if (watch.add(100, i * burstWindowMs) !== null) told += 1;
    expect(told).toBe(1);
    for (let i = 30; i < 40; i++) expect(watch.add(300, i * burstWindowMs)).toBeNull();
    expect(watch.add(5000, 41 * burstWindowMs)).toBe(5000);
  });

  test('what was usual long ago is forgotten', () => {
    const watch = new BurstWatch();
    for (let i = 0; i < 30; i++) watch.add(100, i * burstWindowMs);
    expect(watch.add(100, 3_600_000)).toBe(100);
  });
});

test('refusals are told at the fifth in a minute, then as they double', () => {
  const watch = new RefusalWatch();
  const told = Array.from({ length: 45 }, () => watch.add(1, 10)).filter((count) => count !== null);
  expect(told).toEqual([5, 10, 20, 40]);
  expect(watch.add(4, refusalWindowMs + 20)).toBeNull();
  expect(watch.add(100, refusalWindowMs + 30)).toBe(104);
  expect(watch.add(1, refusalWindowMs + 40)).toBeNull();
});

test('a peer is new once for each forward, over restarts of the run; this machine is no news', () => {
  const known = new KnownPeers();
  const said: string[] = [];
  const notes = { say: (_level: string, code: string, message: string) => said.push(`${code} ${message}`) } as never;
  new PeerWatch('web', known, notes).met('192.0.2.1');
  new PeerWatch('web', known, notes).met('192.0.2.1');
  new PeerWatch('web', known, notes).met('127.0.0.1');
  expect(said).toEqual(['first_seen_peer 192.0.2.1 connects for the first time']);
  new PeerWatch('other', known, notes).met('192.0.2.1');
  expect(said).toHaveLength(2);
  for (let i = 0; i < 5000; i++) new PeerWatch('web', known, notes).met(`2001:db8::${i.toString(16)}`);
  new PeerWatch('web', known, notes).met('192.0.2.1');
  expect(said).toHaveLength(5003);
});
