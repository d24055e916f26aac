// One SSH connection that is logged in.
import type { Duplex } from 'node:stream';
import type { Client } from 'ssh2';
import { formatEndpoint, type Listen, type Target } from '../../../model/endpoint.ts';
import { SallyportError } from '../../../model/errors.ts';
import type { FarListener, Origin } from '../carrier.ts';
import type { Connection } from '../reconnect.ts';
import { ChannelStream, WindowBudget } from './channel-stream.ts';
import { channelFailure } from './failures.ts';
import { type Accept, FarListeners } from './far-listeners.ts';
import { internals, type OpenedChannel } from './internals.ts';
import { startKeepalive } from './keepalive.ts';
import type { LinkSettings } from './settings.ts';
import type { Transport } from './transport.ts';

export interface ConnectionParts {
  readonly client: Client;
  readonly transport: Transport;
  readonly settings: LinkSettings;
  readonly peer: Connection['peer'];
  /** Far listeners that earlier connections of the link lost. */
  readonly earlier: Set<string>;
  /** How it is kept alive. */
  readonly keepalive: { readonly intervalMs: number; readonly count: number };
  readonly onRtt: (rttMs: number) => void;
}

export class Ssh2Connection implements Connection {
  readonly peer: Connection['peer'];
  readonly lost: Promise<SallyportError>;
  private readonly client: Client;
  private readonly transport: Transport;
  private readonly listeners: FarListeners;
  private readonly budget = new WindowBudget();
  private readonly streams = new Set<ChannelStream>();
  private readonly timers: Array<() => void> = [];
  private gone: SallyportError | null = null;
  private lose!: (reason: SallyportError) => void;

  constructor(parts: ConnectionParts) {
    const { client, transport, settings, keepalive } = parts;
    this.client = client;
    this.transport = transport;
    this.peer = parts.peer;
    this.lost = new Promise((resolve) => {
      this.lose = resolve;
    });
    this.listeners = new FarListeners(client, this.budget, this.lost, parts.earlier);
    this.timers.push(
      startKeepalive({
        client: internals(client),
        bytesRead: transport.bytesRead,
        ...keepalive,
        onRtt: (rttMs) => {
          this.budget.observe(rttMs);
          parts.onRtt(rttMs);
        },
        onDead: () => {
          const seconds = Math.round((keepalive.intervalMs * keepalive.count) / 1000);
          this.end(new SallyportError('host_lost', `${settings.spec.dest} went silent for ${seconds} s`));
        },
      }),
      this.startRekeying(settings),
    );
  }

  /** The connection ended; `reason` is kept from the first call. Can be called twice. */
  end(reason: SallyportError): void {
    if (this.gone !== null) return;
    this.gone = reason;
    for (const stop of this.timers) stop();
    this.listeners.forget();
    for (const stream of this.streams) stream.closedByPeer(true);
    this.lose(reason);
    this.client.end();
    // What is queued (the DISCONNECT) leaves first, if the peer still takes it.
    const { stream } = this.transport;
    const timer = setTimeout(() => stream.destroy(), 500);
    timer.unref();
    stream.once('close', () => clearTimeout(timer));
  }

  close(): void {
    this.end(new SallyportError('host_lost', 'the connection was closed'));
  }

  dial(target: Target, origin: Origin, signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    const shown = formatEndpoint(target);
    return new Promise<Duplex>((resolve, reject) => {
      const onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      const opened = (error: Error | undefined | null, channel?: unknown) => {
        signal.removeEventListener('abort', onAbort);
        if (error || channel === undefined) {
          reject(this.gone ?? channelFailure(error, shown));
          return;
        }
        const stream = this.track(new ChannelStream(internals(this.client), channel as OpenedChannel, this.budget));
        if (signal.aborted) return void stream.destroy();
        stream.greet();
        resolve(stream);
      };
      try {
        if ('socket' in target) this.client.openssh_forwardOutStreamLocal(target.socket, opened);
        else {
          const address = origin.address || '127.0.0.1';
          this.client.forwardOut(address, origin.port, target.host, target.port, opened);
        }
      } catch (cause) {
        opened(new SallyportError('host_lost', 'the connection to the host was lost', '', { cause }));
      }
    });
  }

  listen(at: Listen, accept: Accept, signal: AbortSignal): Promise<FarListener> {
    return this.listeners.listen(at, (stream, peer) => accept(this.track(stream), peer), signal);
  }

  private track(stream: ChannelStream): ChannelStream {
    this.streams.add(stream);
    stream.once('close', () => this.streams.delete(stream));
    return stream;
  }

  /** RekeyLimit; without one the server decides, as sshd does by itself. */
  private startRekeying(settings: LinkSettings): () => void {
    const { bytes, ms } = settings.rekey;
    if (bytes === 0 && ms === 0) return () => {};
    let since = Date.now();
    let at = this.transport.bytesRead();
    const timer = setInterval(() => {
      const read = this.transport.bytesRead();
      if (!((bytes > 0 && read - at >= bytes) || (ms > 0 && Date.now() - since >= ms))) return;
      since = Date.now();
      at = read;
      try {
        internals(this.client)._protocol.rekey();
      } catch {
        clearInterval(timer);
      }
    }, 1000);
    return () => clearInterval(timer);
  }
}
