// A link whose far end is this machine: real sockets, no SSH. It can be taken away and brought back.
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { FarListener, Origin } from '../../src/dataplane/carriers/carrier.ts';
import { dialDirect } from '../../src/dataplane/carriers/direct.ts';
import type { ManagedLink } from '../../src/dataplane/carriers/link-context.ts';
import type { Listen, Target } from '../../src/model/endpoint.ts';
import { SallyportError } from '../../src/model/errors.ts';

export class DirectLink implements ManagedLink {
  readonly id: string;
  up = true;
  holds = 0;
  /** What was dialled, in order. */
  readonly dialled: Target[] = [];
  /** Thrown by the next calls of `listen`, first one first. */
  readonly listenFailures: SallyportError[] = [];
  stopped = false;
  private readonly listeners = new Set<(up: boolean) => void>();
  private readonly far = new Set<net.Server>();

  constructor(id = 'link') {
    this.id = id;
  }

  hold(): () => void {
    this.holds += 1;
    let held = true;
    return () => {
      if (held) this.holds -= 1;
      held = false;
    };
  }

  ready(signal: AbortSignal): Promise<void> {
    if (this.up) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const unsubscribe = this.onUp((up) => {
        if (!up) return;
        unsubscribe();
        resolve();
      });
      signal.addEventListener('abort', () => {
        unsubscribe();
        reject(signal.reason);
      });
    });
  }

  onUp(listener: (up: boolean) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  set(up: boolean): void {
    this.up = up;
    if (!up) for (const server of this.far) server.close();
    for (const listener of [...this.listeners]) listener(up);
  }

  get watchers(): number {
    return this.listeners.size;
  }

  dial(target: Target, _origin: Origin, signal: AbortSignal): Promise<Duplex> {
    this.dialled.push(target);
    return dialDirect(target, signal);
  }

  async listen(at: Listen, accept: (stream: Duplex, peer: Origin) => void): Promise<FarListener> {
    const failure = this.listenFailures.shift();
    if (failure !== undefined) throw failure;
    if ('socket' in at) throw new SallyportError('unsupported', 'no sockets here');
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      accept(socket, { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }),
    );
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(at.port, '127.0.0.1', resolve));
    this.far.add(server);
    const { port } = server.address() as net.AddressInfo;
    return {
      at: `localhost:${port}`,
      port,
      close: async () => {
        this.far.delete(server);
        server.close();
      },
    };
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.set(false);
  }

  retry(): void {}
  answer(): void {}
}
