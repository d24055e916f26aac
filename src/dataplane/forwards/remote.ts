import type { Duplex } from 'node:stream';
import type { RemoteForward as Config } from '../../model/config.ts';
import { formatEndpoint } from '../../model/endpoint.ts';
import { SallyportError, toFailure } from '../../model/errors.ts';
import type { FarListener, Link, Origin } from '../carriers/carrier.ts';
import { dialDirect, direct } from '../carriers/direct.ts';
import { reset } from '../pump.ts';
import { plainAddress } from '../sockets/address.ts';
import { serveSocks } from '../socks/serve.ts';
import type { ForwardContext, RunningForward } from './context.ts';
import { RoundTrip } from './round-trip.ts';
import { serve } from './serve.ts';

const descriptorsPerFlow = 1;
const firstRetryMs = 1000;
const longestRetryMs = 10_000;

/**
 * `-R`: listens at the far end, connects from here; without a target it is a SOCKS server there. The far listener dies
 * with the link, so it is asked for again each time the link comes up.
 */
export class RemoteForward implements RunningForward {
  private readonly config: Config;
  private readonly link: Link;
  private readonly context: ForwardContext;
  private readonly stopped = new AbortController();
  private release: (() => void) | null = null;
  private running: Promise<void> | null = null;
  private far: FarListener | null = null;
  private trial: RoundTrip | null = null;

  constructor(config: Config, link: Link, context: ForwardContext) {
    this.config = config;
    this.link = link;
    this.context = context;
  }

  async start(signal: AbortSignal): Promise<void> {
    this.context.status({ is: 'opening' });
    this.release = this.link.hold();
    signal.addEventListener('abort', () => this.stopped.abort(signal.reason), { once: true });
    this.running = this.run(this.stopped.signal);
  }

  async stop(): Promise<void> {
    this.stopped.abort(new SallyportError('host_lost', 'stopped'));
    await this.running;
    const release = this.release;
    this.release = null;
    if (release !== null) void this.context.gate.drained().then(release);
  }

  probe(signal: AbortSignal): Promise<void> | null {
    const { far } = this;
    return far === null ? null : this.tryWholeWay(far, signal);
  }

  /** From the far end back, then on to the target. */
  private async tryWholeWay(far: FarListener, signal: AbortSignal): Promise<void> {
    const { listen, target } = this.config;
    const trial = new RoundTrip(this.link);
    this.trial = trial;
    try {
      await trial.run(listen, far, signal);
    } finally {
      this.trial = null;
    }
    if (target !== undefined) (await dialDirect(target, signal)).destroy();
  }

  /** Keeps a far listener open for as long as it runs. */
  private async run(signal: AbortSignal): Promise<void> {
    let retryMs = firstRetryMs;
    while (!signal.aborted) {
      const down = new LinkWatch(this.link, false);
      try {
        if (!(await this.linkUp(signal))) continue;
        this.far = await this.link.listen(this.config.listen, (stream, peer) => this.accept(stream, peer), signal);
        retryMs = firstRetryMs;
        this.context.status({ is: 'open', at: this.far.at, since: new Date().toISOString() });
        await down.seen(signal);
        if (!signal.aborted) this.context.status({ is: 'opening' });
      } catch (error) {
        if (signal.aborted) break;
        await this.afterFailure(error, down, retryMs, signal);
        retryMs = Math.min(retryMs * 2, longestRetryMs);
      } finally {
        down.forget();
        await this.closeFar();
      }
    }
  }

  /** Waits for the link; false where there is none to listen on, after it has come back from a failure or at the signal. */
  private async linkUp(signal: AbortSignal): Promise<boolean> {
    try {
      await this.link.ready(signal);
      return true;
    } catch {
      // What is wrong with the link is the link's to report.
      const up = new LinkWatch(this.link, true);
      await up.seen(signal);
      up.forget();
      return false;
    }
  }

  /** Reports it and waits until another try makes sense. */
  private async afterFailure(error: unknown, down: LinkWatch, retryMs: number, signal: AbortSignal): Promise<void> {
    const failure = toFailure(error);
    const heals = error instanceof SallyportError && error.retryable;
    if (failure.code === 'host_lost') return down.seen(signal, firstRetryMs);
    this.context.notes.say(heals ? 'warn' : 'error', failure.code, failure.message);
    if (heals) {
      const nextTry = new Date(Date.now() + retryMs).toISOString();
      this.context.status({ is: 'retrying', error: failure, nextTry });
      return down.seen(signal, retryMs);
    }
    this.context.status({ is: 'failed', error: failure });
    await down.seen(signal);
    if (!signal.aborted) this.context.status({ is: 'opening' });
  }

  private async closeFar(): Promise<void> {
    const far = this.far;
    this.far = null;
    await far?.close().catch((error: Error) => this.context.notes.say('warn', 'remote_close', error.message));
  }

  private accept(stream: Duplex, peer: Origin): void {
    stream.on('error', () => {});
    if (this.trial === null) this.admit(stream, peer);
    else this.trial.sort(stream, () => this.admit(stream, peer));
  }

  private admit(stream: Duplex, peer: Origin): void {
    const { gate, notes } = this.context;
    const { target } = this.config;
    const flow = gate.admit({
      proto: 'tcp',
      address: peer.address === '' ? null : plainAddress(peer.address),
      port: peer.port,
      local: '',
      target: target === undefined ? '' : formatEndpoint(target),
      descriptors: descriptorsPerFlow,
    });
    if (flow === null) reset(stream);
    else if (target === undefined) {
      void serveSocks(stream, flow, { gate, notes, login: null, dial: (to, signal) => direct.dial(to, peer, signal) });
    } else {
      void serve(stream, flow, { notes, limits: gate.limits, dial: (signal) => dialDirect(target, signal) });
    }
  }
}

/** Sees the link go up, or down, from the moment this is made. */
class LinkWatch {
  private readonly happened: Promise<void>;
  readonly forget: () => void;

  constructor(link: Link, wanted: boolean) {
    let tell = () => {};
    this.happened = new Promise((resolve) => {
      tell = resolve;
    });
    this.forget = link.onUp((up) => {
      if (up === wanted) tell();
    });
  }

  /** Resolves when it is seen, after `timeoutMs`, or at the signal. */
  seen(signal: AbortSignal, timeoutMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = timeoutMs === undefined ? undefined : setTimeout(done, timeoutMs);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
      void this.happened.then(done);
    });
  }
}
