// A data plane without its thread, and small servers to send bytes to and from.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { linkFactories } from '../../src/dataplane/carriers/factories.ts';
import { counterBytes, readCounters } from '../../src/dataplane/counters.ts';
import { DataPlane } from '../../src/dataplane/data-plane.ts';
import { Descriptors } from '../../src/dataplane/descriptors.ts';
import type { Command, Runnable, WorkerEvent } from '../../src/dataplane/messages.ts';
import type { PortHolder } from '../../src/dataplane/sockets/errors.ts';
import { Forward } from '../../src/model/config.ts';
import type { RawFlow } from '../../src/model/flow.ts';
import type { LinkSpec } from '../../src/model/host.ts';
import type { ListenerStatus } from '../../src/model/state.ts';
import { DirectLink } from './direct-link.ts';
import { until } from './until.ts';

type Of<K extends WorkerEvent['on']> = Extract<WorkerEvent, { on: K }>;

export class Plane {
  readonly events: WorkerEvent[] = [];
  readonly link = new DirectLink();
  readonly plane: DataPlane;
  private readonly counters = new Map<string, SharedArrayBuffer>();
  private requests = 0;

  /** Without `over` its link's far end is this machine; with it, the real carriers reach the host it says. */
  constructor(options: { holder?: PortHolder; descriptors?: number; over?: LinkSpec } = {}) {
    this.plane = new DataPlane({
      mark: 't',
      linkFactories: options.over === undefined ? { ssh2: () => this.link, openssh: () => this.link } : linkFactories,
      descriptors: new Descriptors(options.descriptors ?? 10_000),
      holder: options.holder ?? (async () => null),
      device: async (host) => host,
      send: (event) => this.events.push(event),
    });
    this.plane.handle({
      do: 'link',
      spec: {
        ...{ dest: 'far', options: {}, carrier: 'ssh2', why: 'test', via: null, args: [] },
        ...options.over,
        id: 'link',
      },
    });
  }

  send(command: Command): void {
    this.plane.handle(command);
  }

  of<K extends WorkerEvent['on']>(on: K): Of<K>[] {
    return this.events.filter((event): event is Of<K> => event.on === on);
  }

  status(id: string): ListenerStatus | undefined {
    return this.of('listener').findLast((event) => event.id === id)?.status;
  }

  /** Starts a forward, as the config file would have it; its listener's last word. */
  async start(forward: Record<string, unknown>, options: { probeMs?: number } = {}): Promise<ListenerStatus> {
    const checked = Forward.parse(forward) as Runnable['forward'];
    const id = checked.name;
    const counters = new SharedArrayBuffer(counterBytes);
    this.counters.set(id, counters);
    const before = this.events.length;
    const link = checked.kind === 'mapping' ? null : 'link';
    this.send({ do: 'start', runnable: { id, forward: checked, link, counters, probeMs: options.probeMs ?? null } });
    return until(`${id} to open or fail`, () => {
      const last = this.events
        .slice(before)
        .filter((event): event is Of<'listener'> => event.on === 'listener' && event.id === id)
        .at(-1)?.status;
      return last !== undefined && last.is !== 'opening' && last.is !== 'closed' ? last : null;
    });
  }

  /** As `start`, where it must open; the port it took. */
  async open(forward: Record<string, unknown>, options: { probeMs?: number } = {}): Promise<number> {
    const status = await this.start(forward, options);
    if (status.is !== 'open') throw new Error(`not open: ${JSON.stringify(status)}`);
    return Number(/:(\d+)/.exec(status.at.replace(/.*\]/, ''))?.[1]);
  }

  async stop(id: string, cutFlows = true): Promise<void> {
    const before = this.events.length;
    this.send({ do: 'stop', id, cutFlows });
    await until(`${id} to stop`, () => this.events.slice(before).some((event) => event.on === 'stopped'));
  }

  counts(id: string) {
    return readCounters(this.counters.get(id) as SharedArrayBuffer);
  }

  flows(forward: string | null = null): readonly RawFlow[] {
    this.requests += 1;
    this.send({ do: 'flows', request: this.requests, forward });
    return this.of('flows').find((event) => event.request === this.requests)?.flows ?? [];
  }

  notes(code: string) {
    return this.of('note').filter((note) => note.code === code);
  }

  async shutdown(): Promise<void> {
    this.send({ do: 'shutdown' });
    await until('bye', () => this.of('bye').length > 0);
  }
}

export interface Server {
  readonly port: number;
  readonly sockets: net.Socket[];
  close(): void;
}

/** A TCP server on 127.0.0.1 (or where said), half-open. */
export async function serve(onSocket: (socket: net.Socket) => void, at: net.ListenOptions = {}): Promise<Server> {
  const sockets: net.Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(at.path === undefined ? { port: 0, host: '127.0.0.1', ...at } : at, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    sockets,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export const echo = (at?: net.ListenOptions) => serve((socket) => socket.pipe(socket), at);

/** A server that sends as long as it may, up to a gigabyte. */
export async function flood(): Promise<Server & { sent(): number; stalled(): Promise<unknown> }> {
  let sent = 0;
  const chunk = Buffer.alloc(1 << 16);
  const server = await serve((socket) => {
    const more = () => {
      while (!socket.destroyed && sent < 1 << 30) {
        sent += chunk.length;
        if (!socket.write(chunk)) {
          socket.once('drain', more);
          return;
        }
      }
    };
    more();
  });
  let last = -1;
  const still = () => {
    const same = sent === last && sent > 0;
    last = sent;
    return same;
  };
  return { ...server, sent: () => sent, stalled: () => until('the sender to stall', still, { everyMs: 200 }) };
}

/** Everything a socket says until it ends. */
export async function readAll(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

/** Sends a word, waits for as many bytes to come back. */
export async function ask(port: number, text: string, host = '127.0.0.1'): Promise<string> {
  const socket = net.connect({ port, host });
  socket.end(text);
  const answer = await readAll(socket);
  return answer.toString();
}

/** How a connection ended: `end` for an orderly one, else the error's code. */
export function fate(socket: net.Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.on('end', () => resolve('end'));
    socket.on('close', () => resolve('close'));
    socket.resume();
  });
}

export function connect(port: number, options: Partial<net.TcpNetConnectOpts> = {}): net.Socket {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, ...options });
  socket.on('error', () => {});
  return socket;
}

export const blob = (bytes: number) => randomBytes(bytes);
export const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
