import type net from 'node:net';
import type { DynamicForward as Config } from '../../model/config.ts';
import { SallyportError } from '../../model/errors.ts';
import type { Link } from '../carriers/carrier.ts';
import { plainAddress } from '../sockets/address.ts';
import type { Listener } from '../sockets/tcp-listener.ts';
import type { Login } from '../socks/login.ts';
import { readLogin } from '../socks/login.ts';
import { serveSocks } from '../socks/serve.ts';
import type { ForwardContext, RunningForward } from './context.ts';
import { listenAt } from './listener.ts';
import { probeOrigin } from './local.ts';
import { dialOver } from './serve.ts';

const descriptorsPerFlow = 1;

/** What a server says that did try the target: servers word a refusal differently, or not at all (RFC 4254, 5.1). */
const answers: ReadonlySet<string> = new Set(['target_refused', 'target_unreachable']);

/** `-D`: a SOCKS server here, its targets dialled at the far end, names unresolved. */
export class DynamicForward implements RunningForward {
  private readonly config: Config;
  private readonly link: Link;
  private readonly context: ForwardContext;
  private login: Login | null = null;
  private listener: Listener | null = null;
  private release: (() => void) | null = null;

  constructor(config: Config, link: Link, context: ForwardContext) {
    this.config = config;
    this.link = link;
    this.context = context;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { login, listen } = this.config;
    this.context.status({ is: 'opening' });
    if (login !== undefined) this.login = await readLogin(login.user, login.passwordFile);
    const listener = await listenAt(listen, (socket) => this.accept(socket), this.context.holder);
    if (signal.aborted) return listener.close();
    this.listener = listener;
    this.release = this.link.hold();
    this.context.status({ is: 'open', at: listener.shown, since: new Date().toISOString() });
  }

  async stop(): Promise<void> {
    this.listener?.close();
    this.listener = null;
    const release = this.release;
    this.release = null;
    if (release !== null) void this.context.gate.drained().then(release);
  }

  /** There is no one target to try: what shows that channels open is any answer for the far end's own port 1, also a refusal. */
  async probe(signal: AbortSignal): Promise<void> {
    try {
      const stream = await this.link.dial({ host: '127.0.0.1', port: 1 }, probeOrigin, signal);
      stream.on('error', () => {});
      stream.destroy();
    } catch (error) {
      if (!(error instanceof SallyportError && answers.has(error.code))) throw error;
    }
  }

  private accept(socket: net.Socket): void {
    const { gate, notes, triggers } = this.context;
    const flow = gate.admitSocket(socket, '', descriptorsPerFlow);
    if (flow === null) return;
    const origin = { address: plainAddress(socket.remoteAddress ?? '127.0.0.1'), port: socket.remotePort ?? 0 };
    void serveSocks(socket, flow, {
      gate,
      notes,
      login: this.login,
      dial: (target, signal) => {
        triggers.began(flow, { proto: 'tcp', ...target, link: this.link.id });
        return dialOver(this.link, target, origin, signal);
      },
    });
  }
}
