// The channel's own account of windows, against a peer that sends exactly as much as it may.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChannelStream, maxWindowBytes, WindowBudget } from '../../src/dataplane/carriers/ssh2/channel-stream.ts';
import type { Internals } from '../../src/dataplane/carriers/ssh2/internals.ts';
import { until } from '../support/until.ts';

const first = 2 << 20;

class Peer {
  /** What the channel allows us to send. */
  credit = first;
  /** The most it ever allowed at once. */
  most = first;
  sent: string[] = [];
  port!: {
    push(data: Buffer | null): boolean;
    close(): void;
    emit(event: string): boolean;
    readonly incoming: { state: string };
    readonly outgoing: { state: string; window: number };
    _waitWindow: boolean;
    _chunkcb(): void;
  };
  readonly stream: ChannelStream;

  constructor({ window = 1 << 20, budget = farAway() } = {}) {
    const client = {
      _protocol: {
        channelData: (_: number, data: Buffer) => this.sent.push(data.toString()),
        channelEOF: () => this.sent.push('<eof>'),
        channelClose: () => this.sent.push('<close>'),
        channelWindowAdjust: (_: number, amount: number) => {
          this.credit += amount;
          this.most = Math.max(this.most, this.credit);
        },
      },
      _chanMgr: {
        update: (_: number, port: object) => {
          this.port = port as Peer['port'];
        },
      },
      _sock: { writableLength: 0, once: () => {} },
    };
    this.stream = new ChannelStream(
      client as unknown as Internals,
      { incoming: { id: 0, window: first }, outgoing: { id: 7, window, packetSize: 4 } },
      budget,
    );
  }

  send(bytes: number): number {
    const length = Math.min(bytes, this.credit, 32_768);
    if (length > 0) {
      this.credit -= length;
      this.port.push(Buffer.alloc(length));
    }
    return length;
  }

  /** As ssh2 does at the peer's CLOSE. */
  close(): void {
    this.port.incoming.state = 'closed';
    this.port.close();
    if (this.port.outgoing.state === 'closing') this.port.outgoing.state = 'closed';
    this.port.emit('close');
  }
}

/** The budget of a connection over a long path. */
function farAway(bytes?: number): WindowBudget {
  const budget = new WindowBudget(bytes);
  budget.observe(200);
  return budget;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('receive window', () => {
  test('grows for a reader that keeps up, to its limit and no further', async () => {
    const peer = new Peer();
    peer.stream.resume();
    for (let sent = 0; sent < 100 << 20; ) {
      const length = peer.send(32_768);
      sent += length;
      if (length === 0 || sent % (1 << 20) === 0) await turn();
    }
    expect(peer.most).toBe(maxWindowBytes);
  });

  test.each([
    ['a short path', (budget: WindowBudget) => budget.observe(0.5)],
    [
      'a path that only looks long under load',
      (budget: WindowBudget) => {
        for (const ms of [300, 0.5, 300]) budget.observe(ms);
      },
    ],
    ['a path nobody has measured yet', () => {}],
  ])('stays on %s', async (_, measure) => {
    const budget = new WindowBudget();
    measure(budget);
    const peer = new Peer({ budget });
    peer.stream.resume();
    for (let sent = 0; sent < 40 << 20; ) {
      const length = peer.send(32_768);
      sent += length;
      if (length === 0 || sent % (1 << 20) === 0) await turn();
    }
    expect(peer.most).toBe(first);
  });

  test('stays for a reader that does not, and never holds more than a window', async () => {
    const peer = new Peer();
    for (let i = 0; i < 200; i++) {
      while (peer.send(32_768) > 0);
      expect(peer.stream.readableLength).toBeLessThanOrEqual(first);
      peer.stream.read(32_768);
      await turn();
    }
    expect(peer.most).toBe(first);
  });

  test('whatever reads and however: held and allowed together stay within the largest window, and it never stalls', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 6 << 20 }), { maxLength: 30 }), async (reads) => {
        const peer = new Peer();
        for (const bytes of reads) {
          while (peer.send(32_768) > 0);
          expect(peer.credit + peer.stream.readableLength).toBeLessThanOrEqual(maxWindowBytes);
          peer.stream.read(Math.min(bytes, peer.stream.readableLength));
          await turn();
        }
        peer.stream.resume();
        await turn();
        await turn();
        expect(peer.credit).toBeGreaterThan(0);
      }),
      { numRuns: 30 },
    );
  });

  test('channels of one connection share what they may grow by, and give it back', async () => {
    const budget = farAway(2 << 20);
    const run = async () => {
      const peer = new Peer({ budget });
      peer.stream.resume();
      for (let sent = 0; sent < 40 << 20; ) {
        const length = peer.send(32_768);
        sent += length;
        if (length === 0 || sent % (1 << 20) === 0) await turn();
      }
      return peer;
    };
    const one = await run();
    expect(one.most).toBeGreaterThan(first);
    expect((await run()).most).toBe(first);
    one.stream.destroy();
    expect((await run()).most).toBeGreaterThan(first);
  });

  test('a short packet is credited as soon as it is read, so that an ACK goes out with the credit', async () => {
    for (const start of [
      (stream: ChannelStream) => stream.resume(),
      (stream: ChannelStream) => stream.on('data', () => {}),
      (stream: ChannelStream) => stream.on('readable', () => stream.read()),
    ]) {
      const peer = new Peer();
      start(peer.stream);
      peer.send(10);
      await turn();
      expect(peer.credit).toBe(first);
      peer.send(20_000);
      await turn();
      expect(peer.credit).toBe(first - 20_000);
    }
  });

  test('a channel on which nobody speaks first gives a sign of life, and no other does', async () => {
    const [silent, spoken] = [new Peer(), new Peer()];
    for (const { stream } of [silent, spoken]) stream.greet();
    spoken.stream.write('a');
    await until('the sign', () => silent.credit === first + 1);
    expect(spoken.credit).toBe(first);
    expect(spoken.sent).toEqual(['a']);
  });

  test('a peer that sends more than it may is cut off', async () => {
    const peer = new Peer();
    let failed: Error | null = null;
    peer.stream.on('error', (error) => {
      failed = error;
    });
    for (let sent = 0; sent <= first; sent += 32_768) peer.port.push(Buffer.alloc(32_768));
    await turn();
    expect(failed).toMatchObject({ code: 'host_lost' });
    expect(peer.sent).toEqual(['<close>']);
  });
});

describe('sending', () => {
  test('in packets as large as the peer takes, and no more than its window', async () => {
    const peer = new Peer({ window: 6 });
    let written = false;
    peer.stream.end('abcdefgh', () => {
      written = true;
    });
    await turn();
    expect(peer.sent).toEqual(['abcd', 'ef']);
    expect(peer.port._waitWindow).toBe(true);
    peer.port.outgoing.window += 100;
    peer.port._chunkcb();
    await turn();
    expect(peer.sent).toEqual(['abcd', 'ef', 'gh', '<eof>']);
    expect(written).toBe(true);
  });
});

describe('ending', () => {
  test('both ends in turn close the channel', async () => {
    const peer = new Peer();
    peer.stream.resume();
    peer.stream.end('bye');
    await turn();
    expect(peer.sent).toEqual(['bye', '<eof>']);
    peer.port.incoming.state = 'eof';
    peer.port.push(null);
    await turn();
    expect(peer.sent).toEqual(['bye', '<eof>', '<close>']);
  });

  test('a close without EOF still delivers what came, then the end', async () => {
    const peer = new Peer();
    peer.send(1000);
    peer.close();
    const chunks: Buffer[] = [];
    let ended = false;
    peer.stream
      .on('data', (chunk) => chunks.push(chunk))
      .on('end', () => {
        ended = true;
      });
    await turn();
    expect(Buffer.concat(chunks)).toHaveLength(1000);
    expect(ended).toBe(true);
    let failed: Error | null = null;
    peer.stream.on('error', (error) => {
      failed = error;
    });
    peer.stream.write('too late');
    await turn();
    expect(failed).toMatchObject({ code: 'ECONNRESET' });
  });

  test('a write that waits when the peer closes does not wait for ever', async () => {
    const peer = new Peer({ window: 0 });
    let closed = false;
    peer.stream.on('close', () => {
      closed = true;
    });
    peer.stream.write('never');
    peer.close();
    peer.stream.resume();
    await turn();
    await turn();
    expect(closed).toBe(true);
  });

  test('a lost connection resets at once, and destroying twice closes once', async () => {
    const lost = new Peer();
    let failed: Error | null = null;
    lost.stream.on('error', (error) => {
      failed = error;
    });
    lost.port.emit('close');
    await turn();
    expect(failed).toMatchObject({ code: 'host_lost' });
    expect(lost.sent).toEqual([]);
    const destroyed = new Peer();
    destroyed.stream.destroy();
    destroyed.stream.destroy();
    destroyed.close();
    await turn();
    expect(destroyed.sent).toEqual(['<close>']);
  });
});
