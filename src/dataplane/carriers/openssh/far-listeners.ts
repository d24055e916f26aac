// Listeners at the far end: the server hands each connection to ssh, ssh to a Unix socket of ours.
import net from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { formatListen, type Listen } from '../../../model/endpoint.ts';
import { SallyportError } from '../../../model/errors.ts';
import { plainText } from '../../../ssh/plain-text.ts';
import type { FarListener, Origin } from '../carrier.ts';
import { type Control, specHost, specPath } from './control.ts';
import type { RemoveFarSocket } from './far-socket-file.ts';
import { guardEnd, lostHost } from './guarded-socket.ts';
import type { LogEvent } from './master-log.ts';

export interface FarListenersOptions {
  readonly dir: string;
  readonly control: Control;
  readonly alive: () => boolean;
  readonly checkAlive: () => Promise<boolean>;
  readonly remove: RemoveFarSocket;
  /** Whether the server finds nobody listening on a socket. */
  readonly isDead: (file: string) => Promise<boolean>;
  /** When the last connection was lost with these listeners on it, in ms since the epoch. */
  readonly formerly: ReadonlyMap<string, number>;
}

/** As long as a server may need to notice that our former connection is dead. */
const reclaimMs = 3 * 3600_000;
/** How far the log may lag behind the connection it tells of. */
const originMs = 100;
const unknownOrigin: Origin = { address: '0.0.0.0', port: 0 };
/** Who comes by a Unix socket has no address. */
const unixOrigin: Origin = { address: '', port: 0 };

export class FarListeners {
  /** What is held now, for whoever must claim it again after a loss. */
  readonly held = new Set<string>();
  private readonly options: FarListenersOptions;
  private readonly servers = new Set<net.Server>();
  private readonly sockets = new Set<net.Socket>();
  /** Origins told by the log, by the far end's port, and who waits for one. */
  private readonly origins = new Map<number, Origin[]>();
  private readonly waiting = new Map<number, Array<(origin: Origin) => void>>();
  private count = 0;

  constructor(options: FarListenersOptions) {
    this.options = options;
  }

  async listen(at: Listen, accept: (stream: Duplex, peer: Origin) => void, signal: AbortSignal): Promise<FarListener> {
    signal.throwIfAborted();
    const from = listenSpec(at);
    const socketPath = path.join(this.options.dir, `r${this.count++}`);
    let port: number | null = null;
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      guardEnd(socket, this.options.checkAlive);
      void this.origin(port).then((origin) => accept(socket, origin));
    });
    server.on('error', () => {});
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve));
    this.servers.add(server);
    const drop = () => {
      this.servers.delete(server);
      server.close();
    };
    const ask = () => this.options.control('forward', '-R', `${from(at)}:${specPath(socketPath)}`);
    let answer = await ask();
    // A socket file there that nobody listens on is replaced, as our own end does it.
    if (
      !answer.ok &&
      'socket' in at &&
      (await this.options.isDead(at.socket)) &&
      (await this.options.remove(at.socket))
    )
      answer = await ask();
    if (!answer.ok) {
      const error = await this.refusal(at, from, socketPath, answer.stderr);
      drop();
      throw error;
    }
    const granted: Listen = 'socket' in at ? at : { ...at, port: at.port || Number(answer.stdout.trim()) };
    if ('port' in granted) port = granted.port;
    const name = formatListen(granted);
    this.held.add(name);
    // By the port asked for, also where that was 0: ssh knows it under no other name.
    let closed: Promise<void> | null = null;
    const close = () => {
      closed ??= this.options.control('cancel', '-R', `${from(at)}:${specPath(socketPath)}`).then(async () => {
        this.held.delete(name);
        drop();
        if ('socket' in at) await this.options.remove(at.socket);
      });
      return closed;
    };
    if (signal.aborted) {
      await close();
      signal.throwIfAborted();
    }
    return { at: name, port, close };
  }

  onLog(event: LogEvent): void {
    if (event.is !== 'incoming') return;
    const origin = { address: event.address, port: event.originPort };
    const waiter = this.waiting.get(event.port)?.shift();
    if (waiter !== undefined) waiter(origin);
    else this.origins.set(event.port, [...(this.origins.get(event.port) ?? []).slice(-64), origin]);
  }

  lost(): void {
    for (const server of this.servers) server.close();
    for (const socket of this.sockets) socket.destroy(lostHost());
    this.servers.clear();
  }

  /** Who the connection that just came in is from, as far as ssh's log tells. */
  private origin(port: number | null): Promise<Origin> {
    if (port === null) return Promise.resolve(unixOrigin);
    const known = this.origins.get(port)?.shift();
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve) => {
      const waiters = this.waiting.get(port) ?? [];
      this.waiting.set(port, waiters);
      const waiter = (origin: Origin) => {
        clearTimeout(timer);
        resolve(origin);
      };
      const timer = setTimeout(() => {
        waiters.splice(waiters.indexOf(waiter), 1);
        resolve(unknownOrigin);
      }, originMs);
      waiters.push(waiter);
    });
  }

  /** The protocol says no more than no; asking for any port tells whether it was the port or the right. */
  private async refusal(
    at: Listen,
    from: (at: Listen) => string,
    socketPath: string,
    stderr: string,
  ): Promise<SallyportError> {
    if (!this.options.alive()) return lostHost();
    const name = formatListen(at);
    const lostAt = this.options.formerly.get(name);
    const reclaims = lostAt !== undefined && Date.now() - lostAt < reclaimMs;
    if ('socket' in at) {
      if (reclaims) {
        return new SallyportError(
          'remote_port_reclaim',
          `${name} on the SSH server is still there, most likely from our own lost connection`,
          'remove the file there, or set StreamLocalBindUnlink yes in its sshd_config, which replaces it',
        );
      }
      return new SallyportError(
        'remote_listen_denied',
        `the SSH server does not listen on ${name}`,
        'does the socket exist there already, and may the user make it?',
      );
    }
    const denied = new SallyportError(
      'remote_listen_denied',
      `the SSH server does not allow listening on ${name}`,
      'see AllowTcpForwarding, PermitListen and GatewayPorts there',
    );
    if (at.port === 0) return denied;
    if (!/remote port forwarding failed/.test(stderr)) {
      return new SallyportError('remote_listen_denied', plainText(stderr) || 'ssh refuses the forward');
    }
    const any = { ...at, port: 0 };
    const trial = await this.options.control('forward', '-R', `${from(any)}:${specPath(socketPath)}`);
    if (!trial.ok) return denied;
    await this.options.control('cancel', '-R', `${from(any)}:${specPath(socketPath)}`);
    if (reclaims) {
      return new SallyportError(
        'remote_port_reclaim',
        `port ${at.port} on the SSH server is still held, most likely by our own lost connection`,
        'it is tried again; ClientAliveInterval on the server shortens the wait',
      );
    }
    return new SallyportError(
      'remote_port_taken',
      `port ${at.port} on the SSH server is taken`,
      at.port < 1024 ? 'or the user there may not listen below 1024' : 'choose another port, or 0 for a free one',
    );
  }
}

/** How `-R` spells where to listen. */
function listenSpec(at: Listen): (at: Listen) => string {
  if ('socket' in at) return () => specPath(at.socket);
  if (at.address === undefined) return (where) => ('port' in where ? String(where.port) : '');
  const host = at.address === '*' ? '*' : specHost(at.address);
  if (host === null) throw new SallyportError('bad_value', `"${plainText(at.address)}" is not an address`);
  return (where) => ('port' in where ? `${host}:${where.port}` : '');
}
