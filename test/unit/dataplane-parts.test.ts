import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Descriptors, descriptorLimit } from '../../src/dataplane/descriptors.ts';
import { FlowTable } from '../../src/dataplane/flows.ts';
import { Notes } from '../../src/dataplane/notes.ts';
import { TokenBucket } from '../../src/dataplane/rate.ts';
import { bindAddresses } from '../../src/dataplane/sockets/bind.ts';
import { dialError, listenError } from '../../src/dataplane/sockets/errors.ts';

describe('the token bucket', () => {
  test('lets the burst through, then says how long its debt takes', () => {
    let now = 0;
    const bucket = new TokenBucket(1000, () => now);
    expect(bucket.spend(100)).toBe(0);
    expect(bucket.spend(500)).toBe(500);
    now = 500;
    expect(bucket.spend(0)).toBe(0);
    now = 10_000;
    expect(bucket.spend(101)).toBe(1);
  });

  test('a datagram goes or is dropped', () => {
    let now = 0;
    const bucket = new TokenBucket(1000, () => now);
    expect([bucket.tryTake(1500), bucket.tryTake(1)]).toEqual([true, false]);
    now = 1401;
    expect(bucket.tryTake(1)).toBe(true);
  });
});

describe('notes', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('of each code the first at once, the rest as a sum', () => {
    const said: string[] = [];
    const notes = new Notes((_level, code, message) => said.push(`${code}: ${message}`));
    for (let i = 1; i <= 5; i++) notes.say('warn', 'refused', `no ${i}`);
    notes.say('warn', 'other', 'x');
    expect(said).toEqual(['refused: no 1', 'other: x']);
    vi.advanceTimersByTime(10_000);
    expect(said).toEqual(['refused: no 1', 'other: x', 'refused: no 5 (4 times)']);
    notes.say('warn', 'refused', 'no 6');
    notes.flush();
    expect(said.at(-1)).toBe('refused: no 6');
    vi.advanceTimersByTime(100_000);
    expect(said).toHaveLength(4);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('descriptors: some are kept back, the rest is shared by the workers', () => {
  expect(descriptorLimit('Limit\nMax open files            4096                 8192   files\n')).toBe(4096);
  const share = new Descriptors(4096, 2);
  expect(share.free).toBe(1920);
  expect([share.take(1920), share.take(1)]).toEqual([true, false]);
  share.give(1);
  expect(share.take(1)).toBe(true);
});

test('flow ids carry the mark, a flow ends once', () => {
  const table = new FlowTable('7');
  let ends = 0;
  const start = {
    run: 'a/open/1',
    forward: 'a',
    proto: 'tcp',
    address: '::1',
    peer: 'p',
    local: 'l',
    target: 't',
  } as const;
  const flow = table.open({ ...start, meter: { sent: () => {}, received: () => {} } }, () => {
    ends += 1;
  });
  expect(flow.id).toBe('7-1');
  expect(
    [table.list('a'), table.list('a/open/1'), table.list('b'), table.list(null)].map(({ length }) => length),
  ).toEqual([1, 1, 0, 1]);
  flow.end();
  flow.end();
  expect([ends, table.size, table.kill('7-1')]).toEqual([1, 0, false]);
});

test('listen addresses', async () => {
  const hosts = async (address?: string) => (await bindAddresses(address)).map(({ host }) => host);
  expect(await hosts()).toEqual(['127.0.0.1', '::1']);
  expect(await hosts('localhost')).toEqual(['127.0.0.1', '::1']);
  expect(await hosts('*')).toEqual(['::']);
  expect(await hosts('[fe80::1%eth0]')).toEqual(['fe80::1%eth0']);
  expect((await bindAddresses('*'))[0]).toMatchObject({ dualStack: true, instead: '0.0.0.0', shown: '0.0.0.0' });
});

describe("node's errors", () => {
  const node = (code: string) => Object.assign(new Error(`connect ${code}`), { code });
  const target = { host: '2001:db8::1', port: 80 };

  test.each([
    ['ECONNREFUSED', 'target_refused'],
    ['ETIMEDOUT', 'target_timeout'],
    ['ENOTFOUND', 'target_unreachable'],
    ['EMFILE', 'fd_limit'],
    ['ESOMETHING', 'target_unreachable'],
  ])('%s is %s', (from, to) => {
    const error = dialError(node(from), target);
    expect(error.code).toBe(to);
    expect(error.message).toContain('[2001:db8::1]:80');
  });

  test('of several attempts the first one counts', () => {
    expect(dialError(new AggregateError([node('ECONNREFUSED'), node('ENETUNREACH')]), target).code).toBe(
      'target_refused',
    );
  });

  test.each([
    ['EADDRINUSE', 'port_taken'],
    ['EACCES', 'port_denied'],
    ['EADDRNOTAVAIL', 'address_unavailable'],
    ['EMFILE', 'fd_limit'],
    ['EIO', 'listen_failed'],
  ])('listening: %s is %s, with a next step', async (from, to) => {
    const at = { proto: 'tcp', address: '127.0.0.1', port: 80 } as const;
    const error = await listenError(node(from), at, async () => 'nginx (pid 1, user root)');
    expect(error.code).toBe(to);
    if (to !== 'listen_failed') expect(error.hint).not.toBe('');
    if (to === 'port_taken')
      expect(error).toMatchObject({
        message: expect.stringContaining('nginx (pid 1'),
        hint: expect.stringContaining('stop nginx'),
      });
  });
});
