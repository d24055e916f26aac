// Flows to the far end: one listener of ssh's for each target, one connection to it for each flow.
import { rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { formatEndpoint, type Target } from '../../../model/endpoint.ts';
import { SallyportError } from '../../../model/errors.ts';
import { plainText } from '../../../ssh/plain-text.ts';
import { type Control, specHost, specPath } from './control.ts';
import { channelFailure } from './failures.ts';
import { guardEnd, lostHost } from './guarded-socket.ts';
import { type LogEvent, loggedTarget } from './master-log.ts';

/** Listeners kept open; a SOCKS client may name any number of targets. */
const maxListeners = 128;
/** How long an older ssh, which logs no confirmation, may take to log a refusal. */
const refusalMs = 250;
const retryMs = 10;
const deadCheckMs = 5000;

interface PendingDial {
  readonly target: string;
  settle(error: SallyportError | null): void;
}

interface TargetListener {
  readonly key: string;
  readonly spec: string;
  readonly socketPath: string;
  readonly ready: Promise<void>;
  /** Connections ssh has yet to report, in the order they were made. */
  readonly queue: PendingDial[];
  dialling: number;
}

export interface DiallerOptions {
  readonly dir: string;
  readonly control: Control;
  readonly alive: () => boolean;
  readonly checkAlive: () => Promise<boolean>;
  /** Whether ssh logs a channel's confirmation. */
  readonly confirms: boolean;
}

export class Dialler {
  private readonly options: DiallerOptions;
  /** Least recently used first. */
  private readonly listeners = new Map<string, TargetListener>();
  private readonly channels = new Map<number, PendingDial>();
  private readonly sockets = new Set<net.Socket>();
  private readonly unsettled = new Set<PendingDial>();
  private requested: TargetListener | null = null;
  private count = 0;

  constructor(options: DiallerOptions) {
    this.options = options;
  }

  async dial(target: Target, signal: AbortSignal): Promise<net.Socket> {
    signal.throwIfAborted();
    const listener = this.listenerFor(target);
    listener.dialling++;
    this.evict();
    try {
      await unlessAborted(listener.ready, signal);
      for (;;) {
        const socket = await this.connect(listener, formatEndpoint(target), signal);
        if (socket !== null) return socket;
        // The listener's queue in the kernel is full: ssh takes them one at a time.
        await unlessAborted(new Promise((resolve) => setTimeout(resolve, retryMs)), signal);
      }
    } finally {
      listener.dialling--;
    }
  }

  /** Whether the server finds nobody listening on the socket; false where it does not say. */
  async isDead(file: string): Promise<boolean> {
    try {
      (await this.dial({ socket: file }, AbortSignal.timeout(deadCheckMs))).destroy();
      return false;
    } catch (error) {
      // sshd gives no reason for a socket, but other words for one that it allows nobody to connect to.
      return error instanceof SallyportError && /(?:open failed|refuses the connection)$/.test(error.message);
    }
  }

  onLog(event: LogEvent): void {
    if (event.is === 'requested') this.requested = this.listeners.get(event.target) ?? null;
    else if (event.is === 'channel') {
      const pending = this.requested?.queue.shift();
      this.requested = null;
      if (pending === undefined) return;
      this.channels.set(event.channel, pending);
      if (!this.options.confirms) setTimeout(() => pending.settle(null), refusalMs);
    } else if (event.is === 'confirmed' || event.is === 'refused') {
      const pending = this.channels.get(event.channel);
      this.channels.delete(event.channel);
      pending?.settle(event.is === 'confirmed' ? null : channelFailure(event.reason, pending.target));
    }
  }

  /** The connection is gone: so is every flow. */
  lost(): void {
    for (const pending of [...this.unsettled]) pending.settle(lostHost());
    for (const socket of this.sockets) socket.destroy(lostHost());
    this.listeners.clear();
  }

  private listenerFor(target: Target): TargetListener {
    const key = 'socket' in target ? loggedTarget(target.socket, -2) : loggedTarget(target.host, target.port);
    const known = this.listeners.get(key);
    if (known !== undefined) {
      this.listeners.delete(key);
      this.listeners.set(key, known);
      return known;
    }
    const to = 'socket' in target ? specPath(target.socket) : specTarget(target.host, target.port);
    const socketPath = path.join(this.options.dir, `l${this.count++}`);
    const spec = `${specPath(socketPath)}:${to}`;
    const ready = this.options.control('forward', '-L', spec).then(({ ok, stderr }) => {
      if (ok) return;
      this.listeners.delete(key);
      if (!this.options.alive()) throw lostHost();
      throw new SallyportError(
        'target_unreachable',
        `${formatEndpoint(target)}: ssh refuses the forward`,
        plainText(stderr),
      );
    });
    ready.catch(() => {});
    const listener = { key, spec, socketPath, ready, queue: [], dialling: 0 };
    this.listeners.set(key, listener);
    return listener;
  }

  private evict(): void {
    for (const listener of this.listeners.values()) {
      if (this.listeners.size <= maxListeners) return;
      if (listener.dialling > 0 || listener.queue.length > 0) continue;
      this.listeners.delete(listener.key);
      // ssh leaves the socket's name behind.
      void this.options.control('cancel', '-L', listener.spec).then(() => rm(listener.socketPath, { force: true }));
    }
  }

  /** @returns null where the kernel would not queue the connection just now */
  private connect(listener: TargetListener, target: string, signal: AbortSignal): Promise<net.Socket | null> {
    return new Promise((resolve, reject) => {
      const socket = new net.Socket({ allowHalfOpen: true });
      guardEnd(socket, this.options.checkAlive);
      socket.pause();
      const pending: PendingDial = {
        target,
        settle: (error) => {
          if (!this.unsettled.delete(pending)) return;
          signal.removeEventListener('abort', onAbort);
          if (error === null) resolve(socket);
          else {
            socket.destroy();
            reject(error);
          }
        },
      };
      // Stays in the queue: ssh takes the connection whether anybody waits or not.
      const onAbort = () => {
        if (!this.unsettled.delete(pending)) return;
        socket.destroy();
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.unsettled.add(pending);
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      socket.once('error', (error: NodeJS.ErrnoException) => {
        if (!this.unsettled.has(pending) || error instanceof SallyportError) return;
        const place = listener.queue.indexOf(pending);
        if (place >= 0) listener.queue.splice(place, 1);
        if (error.code === 'EAGAIN' && this.options.alive()) {
          this.unsettled.delete(pending);
          signal.removeEventListener('abort', onAbort);
          resolve(null);
        } else pending.settle(lostHost());
      });
      listener.queue.push(pending);
      socket.connect(listener.socketPath);
    });
  }
}

function specTarget(host: string, port: number): string {
  const name = specHost(host);
  if (name === null) throw new SallyportError('target_unreachable', `"${plainText(host)}" is not a host name`);
  return `${name}:${port}`;
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
