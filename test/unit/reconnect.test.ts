import { expect, test } from 'vitest';
import { backoffMs, firstDelayMs, maxDelayMs } from '../../src/dataplane/carriers/backoff.ts';
import { type Attempt, type Connection, LinkKeeper } from '../../src/dataplane/carriers/reconnect.ts';
import { SallyportError } from '../../src/model/errors.ts';
import type { LinkStatus } from '../../src/model/state.ts';
import { until } from '../support/until.ts';

const peer = { address: '127.0.0.1:22', cipher: 'c', kex: 'k', serverVersion: 's' };

class FakeConnection implements Connection {
  readonly peer = peer;
  readonly lost: Promise<SallyportError>;
  lose!: (error: SallyportError) => void;
  closed = false;

  constructor() {
    this.lost = new Promise((resolve) => {
      this.lose = resolve;
    });
  }

  close(): void {
    this.closed = true;
    this.lose(new SallyportError('host_lost', 'closed'));
  }
}

function setup(connect: (attempt: Attempt, count: number) => Promise<FakeConnection>, delay = () => 1) {
  const statuses: LinkStatus[] = [];
  let count = 0;
  const keeper = new LinkKeeper<FakeConnection>({
    connect: (attempt) => connect(attempt, ++count),
    report: (status) => statuses.push(status),
    delayMs: delay,
  });
  return { keeper, statuses, words: () => statuses.map((status) => status.is), tries: () => count };
}

const never = new AbortController().signal;

test('backoff stays between half a second and a minute, and its ceiling doubles', () => {
  expect(backoffMs(1, 0)).toBe(firstDelayMs);
  expect(backoffMs(1, 0.999999)).toBe(1000);
  expect(backoffMs(2, 0.999999)).toBe(2000);
  expect(backoffMs(5000, 0.999999)).toBe(maxDelayMs);
  expect(backoffMs(5000, 0)).toBe(firstDelayMs);
});

test('connects at the first user, idles after the last, and connects again at the next', async () => {
  const made: FakeConnection[] = [];
  const { keeper, words } = setup(async () => {
    const connection = new FakeConnection();
    made.push(connection);
    return connection;
  });
  const ups: boolean[] = [];
  keeper.onUp((up) => ups.push(up));
  const first = keeper.hold();
  const second = keeper.hold();
  await keeper.ready(never);
  first();
  first();
  expect(keeper.up).toBe(made[0]);
  second();
  expect(made[0]?.closed).toBe(true);
  expect(keeper.status.is).toBe('idle');
  const third = keeper.hold();
  await keeper.ready(never);
  expect(made).toHaveLength(2);
  third();
  expect(words()).toEqual(['connecting', 'up', 'idle', 'connecting', 'up', 'idle']);
  expect(ups).toEqual([true, false, true, false]);
});

test('what heals is tried again, what cannot heal fails once, and retry starts over', async () => {
  const { keeper, words, tries } = setup(async (_, count) => {
    if (count === 1) throw new SallyportError('host_refused', 'refused');
    if (count === 2) throw new SallyportError('auth_denied', 'no');
    return new FakeConnection();
  });
  keeper.hold();
  await expect(keeper.ready(never)).rejects.toMatchObject({ code: 'auth_denied' });
  await expect(keeper.ready(never)).rejects.toMatchObject({ code: 'auth_denied' });
  expect(tries()).toBe(2);
  keeper.retry();
  await keeper.ready(never);
  expect(words()).toEqual(['connecting', 'retrying', 'connecting', 'failed', 'connecting', 'up']);
  await keeper.stop();
});

test('an error that heals does not when its cause cannot', async () => {
  const cause = new SallyportError('auth_denied', 'no');
  const { keeper, tries } = setup(async () => {
    throw new SallyportError('jump_failed', 'the jump host failed', '', { cause });
  });
  keeper.hold();
  await expect(keeper.ready(never)).rejects.toMatchObject({ code: 'jump_failed' });
  expect(tries()).toBe(1);
});

test('a lost connection comes back, and waits longer each time it falls at once', async () => {
  const made: FakeConnection[] = [];
  const attempts: number[] = [];
  const { keeper, statuses } = setup(async () => {
    const connection = new FakeConnection();
    made.push(connection);
    return connection;
  });
  keeper.hold();
  for (let i = 0; i < 3; i++) {
    const connection = await keeper.ready(never);
    connection.lose(new SallyportError('host_lost', 'gone'));
    await until('the next connection', () => made.length === i + 2);
  }
  for (const status of statuses) if (status.is === 'retrying') attempts.push(status.attempt);
  expect(attempts).toEqual([1, 2, 3]);
  await keeper.stop();
});

test('retry cuts a pause short', async () => {
  const { keeper, tries } = setup(
    async (_, count) => {
      if (count === 1) throw new SallyportError('host_refused', 'refused');
      return new FakeConnection();
    },
    () => 3_600_000,
  );
  keeper.hold();
  await until('a pause', () => keeper.status.is === 'retrying');
  keeper.retry();
  await keeper.ready(never);
  expect(tries()).toBe(2);
  await keeper.stop();
});

test('stop rejects who waits, ends the try and can be called twice', async () => {
  let aborted = false;
  const { keeper } = setup(
    (attempt) =>
      new Promise((_, reject) => {
        attempt.signal.addEventListener('abort', () => {
          aborted = true;
          reject(attempt.signal.reason);
        });
      }),
  );
  keeper.hold();
  const waiting = keeper.ready(never);
  await until('a try', () => keeper.status.is === 'connecting');
  const stopped = keeper.stop();
  await expect(waiting).rejects.toMatchObject({ code: 'host_lost' });
  await stopped;
  await keeper.stop();
  expect(aborted).toBe(true);
  await expect(keeper.ready(never)).rejects.toMatchObject({ code: 'host_lost' });
});

test('a waiter gives up at its signal and leaves nothing behind', async () => {
  const { keeper } = setup(() => new Promise(() => {}));
  keeper.hold();
  const controller = new AbortController();
  const waiting = keeper.ready(controller.signal);
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});
