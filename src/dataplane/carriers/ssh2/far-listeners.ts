// Remote forwards of one connection: what the server listens on for us.
import type { Client } from 'ssh2';
import { formatEndpoint, type Listen } from '../../../model/endpoint.ts';
import { SallyportError } from '../../../model/errors.ts';
import { plainText } from '../../../ssh/plain-text.ts';
import type { FarListener, Origin } from '../carrier.ts';
import { ChannelStream, type WindowBudget } from './channel-stream.ts';
import { isDeadSocket, removeFarSocket } from './far-socket-file.ts';
import { internals, type OpenedChannel } from './internals.ts';

export type Accept = (stream: ChannelStream, peer: Origin) => void;

/** The address asked for, as ssh(1) sends it: nothing given is loopback, `*` every address. */
function bindAddress(address: string | undefined): string {
  return address === undefined ? 'localhost' : address === '*' ? '' : address;
}

/** How a listen endpoint is called across reconnections. */
function listenName(at: Listen): string {
  return 'socket' in at ? at.socket : `${bindAddress(at.address)}:${at.port}`;
}

function shown(at: Listen, port: number): string {
  if ('socket' in at) return at.socket;
  const address = at.address === undefined ? '127.0.0.1' : at.address === '*' ? '0.0.0.0' : at.address;
  return formatEndpoint({ host: address, port });
}

export class FarListeners {
  private readonly client: Client;
  private readonly budget: WindowBudget;
  private readonly lost: Promise<unknown>;
  private readonly accepts = new Map<string, Accept>();
  /** Names this link held on an earlier connection that it lost: the server may still hold them for our dead session. */
  private readonly earlier: Set<string>;
  private readonly held = new Set<string>();
  /** What the server said in a DEBUG message since its last answer; sshd puts its reason for refusing there. */
  private said = '';

  constructor(client: Client, budget: WindowBudget, lost: Promise<unknown>, earlier: Set<string>) {
    this.client = client;
    this.budget = budget;
    this.lost = lost;
    this.earlier = earlier;
    internals(client)._protocol._handlers.DEBUG = (_protocol, _display, message) => {
      this.said = plainText(message);
    };
    client.on('tcp connection', (details, accept, reject) => {
      const take = this.accepts.get(`${details.destIP}:${details.destPort}`);
      if (take === undefined) reject();
      else this.hand(accept() as never, take, { address: details.srcIP, port: details.srcPort });
    });
    client.on('unix connection', (details, accept, reject) => {
      const take = this.accepts.get(details.socketPath);
      if (take === undefined) reject();
      else this.hand(accept() as never, take, { address: '', port: 0 });
    });
  }

  /** The connection is gone: what it held may for a while still be held by its dead session at the server. */
  forget(): void {
    for (const name of this.held) this.earlier.add(name);
    this.held.clear();
    this.accepts.clear();
  }

  /** @throws SallyportError `remote_port_taken`, `remote_port_reclaim`, `remote_listen_denied`, `host_lost` */
  async listen(at: Listen, accept: Accept, signal: AbortSignal): Promise<FarListener> {
    const name = listenName(at);
    const port = await this.claim(at, name);
    const granted = 'socket' in at ? name : `${bindAddress(at.address)}:${port}`;
    this.earlier.delete(name);
    this.held.add(name);
    this.accepts.set(granted, accept);
    let closing: Promise<void> | null = null;
    const close = () => {
      closing ??= this.release(at, name, granted, port);
      return closing;
    };
    if (signal.aborted) {
      await close();
      signal.throwIfAborted();
    }
    return { at: shown(at, port), port: 'socket' in at ? null : port, close };
  }

  /** Asks for the listener; a socket file there that nobody listens on is replaced, as our own end does it. */
  private async claim(at: Listen, name: string): Promise<number> {
    try {
      return await this.ask(at, name);
    } catch (error) {
      const inTheWay = error instanceof SallyportError && /^remote_port_/.test(error.code);
      if (!inTheWay || !('socket' in at) || !(await isDeadSocket(this.client, at.socket))) throw error;
      if (!(await removeFarSocket(this.client, at.socket))) throw error;
      return this.ask(at, name);
    }
  }

  private ask(at: Listen, name: string): Promise<number> {
    return new Promise<number>((resolve, reject) => {
      const done = (error?: Error | null, port?: number) => {
        const reason = this.said;
        this.said = '';
        if (!error) resolve(port ?? 0);
        else if (/^Unable to bind/.test(error.message)) reject(this.refusal(at, name, reason));
        else reject(new SallyportError('host_lost', 'the connection to the host was lost', '', { cause: error }));
      };
      try {
        if ('socket' in at) this.client.openssh_forwardInStreamLocal(at.socket, done);
        else this.client.forwardIn(bindAddress(at.address), at.port, done);
      } catch (error) {
        done(error as Error);
      }
    });
  }

  /** @param reason in the server's words; empty where it gave none */
  private refusal(at: Listen, name: string, reason: string): SallyportError {
    const where = shown(at, 'port' in at ? at.port : 0);
    const privileged = 'port' in at && at.port > 0 && at.port < 1024;
    if (/disabled|denied|prohibited|refused|not permitted/i.test(reason)) {
      return new SallyportError(
        'remote_listen_denied',
        `the SSH server does not listen on ${where} for us: ${reason}`,
        'AllowTcpForwarding, AllowStreamLocalForwarding and PermitListen in its sshd_config decide that' +
          (privileged ? '; a port below 1024 takes root there' : ''),
      );
    }
    if (this.earlier.has(name)) {
      return new SallyportError(
        'remote_port_reclaim',
        `${where} on the SSH server is still held, most likely by our own lost connection`,
        'socket' in at
          ? 'remove the file there, or set StreamLocalBindUnlink yes in its sshd_config, which replaces it'
          : 'it comes back once the server notices; ClientAliveInterval in its sshd_config makes that quicker',
      );
    }
    if ('socket' in at) {
      return new SallyportError(
        'remote_port_taken',
        `the SSH server cannot listen on the socket ${where}`,
        'does the file exist there already? StreamLocalBindUnlink yes in sshd_config replaces it',
      );
    }
    const low = privileged ? " (or is below 1024 and so root's)" : '';
    return new SallyportError(
      'remote_port_taken',
      `the SSH server cannot listen on ${where}: another program has it${low}`,
      'choose another port, or end what holds it there',
    );
  }

  private async release(at: Listen, name: string, granted: string, port: number): Promise<void> {
    this.accepts.delete(granted);
    if (!this.held.has(name)) return;
    const released = new Promise<void>((resolve) => {
      const done = (error?: Error | null) => {
        // A server that never answered may hold it still when the connection is lost.
        if (!error) this.held.delete(name);
        resolve();
      };
      try {
        if ('socket' in at) this.client.openssh_unforwardInStreamLocal(at.socket, done);
        else this.client.unforwardIn(bindAddress(at.address), port, done);
      } catch {
        // Not connected: the server lets go with the connection.
        resolve();
      }
    });
    const cleared = 'socket' in at ? released.then(() => removeFarSocket(this.client, at.socket)) : released;
    await Promise.race([cleared, this.lost]);
  }

  private hand(channel: OpenedChannel, accept: Accept, peer: Origin): void {
    accept(new ChannelStream(internals(this.client), channel, this.budget), peer);
  }
}
