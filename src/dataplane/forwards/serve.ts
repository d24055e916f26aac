import type { Duplex } from 'node:stream';
import type { Target } from '../../model/endpoint.ts';
import { SallyportError } from '../../model/errors.ts';
import type { Link, Origin } from '../carriers/carrier.ts';
import type { Flow } from '../flows.ts';
import type { Notes } from '../notes.ts';
import type { PumpLimits } from '../pump.ts';
import { pump, reset } from '../pump.ts';

/** How long a connection waits for a link that is away. */
const linkPatienceMs = 5000;

export interface Service {
  readonly notes: Notes;
  readonly limits: PumpLimits;
  dial(signal: AbortSignal): Promise<Duplex>;
  /** Called with the target's stream before a byte moves. */
  connected?(target: Duplex): void;
  /** Answers a client whose target could not be reached; without it the client is reset. */
  failed?(error: unknown): void;
}

/** Serves an admitted client: connects its target, then joins the two until both are closed. */
export async function serve(client: Duplex, flow: Flow, service: Service): Promise<void> {
  const dialling = new AbortController();
  const leave = () => dialling.abort(new SallyportError('target_unreachable', 'the client left'));
  flow.cut = () => {
    leave();
    reset(client);
  };
  client.on('error', () => {});
  client.once('close', leave);
  let target: Duplex;
  try {
    target = await service.dial(dialling.signal);
  } catch (error) {
    client.off('close', leave);
    if (!dialling.signal.aborted) {
      const { code, message } = error as SallyportError;
      service.notes.say('warn', code ?? 'internal', message);
    }
    if (service.failed !== undefined && !client.destroyed) service.failed(error);
    else reset(client);
    flow.end();
    return;
  }
  client.off('close', leave);
  target.on('error', () => {});
  if (client.destroyed) {
    reset(target);
    flow.end();
    return;
  }
  flow.cut = () => {
    reset(client);
    reset(target);
  };
  service.connected?.(target);
  pump(client, target, flow, service.limits, () => flow.end());
}

/**
 * Dials over a link, waiting a moment for one that is away.
 * @throws SallyportError as `Carrier.dial`, `host_lost` when the link stays away
 */
export async function dialOver(link: Link, target: Target, origin: Origin, signal: AbortSignal): Promise<Duplex> {
  if (!link.up) await comesBack(link, signal);
  return link.dial(target, origin, signal);
}

async function comesBack(link: Link, signal: AbortSignal): Promise<void> {
  const patience = new AbortController();
  const giveUp = () => patience.abort(signal.reason);
  const timer = setTimeout(
    () => patience.abort(new SallyportError('host_lost', `the host was away for ${linkPatienceMs / 1000} s`)),
    linkPatienceMs,
  );
  signal.addEventListener('abort', giveUp);
  try {
    await link.ready(patience.signal);
  } catch (error) {
    throw patience.signal.aborted ? patience.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}
