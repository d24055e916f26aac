import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Listen, Target } from '../../model/endpoint.ts';
import { SallyportError } from '../../model/errors.ts';
import type { FarListener, Link } from '../carriers/carrier.ts';
import { probeOrigin } from './local.ts';

const tokenBytes = 16;
const timeoutMs = 5000;
/** The token comes with its connection; who says nothing for so long is a client that waits to be spoken to. */
const silentMs = 250;

/**
 * Tries a far listener from its own end: a connection made there must come back here. It is told from clients' by a
 * token; a client that comes in those moments is handed on with all its bytes, and neither is the trial counted.
 */
export class RoundTrip {
  private readonly link: Link;
  private readonly token = randomBytes(tokenBytes);
  /** Clients that came meanwhile and have yet to say something. */
  private readonly held = new Map<Duplex, () => void>();
  private readonly back = Promise.withResolvers<void>();

  constructor(link: Link) {
    this.link = link;
  }

  /** @throws SallyportError `target_refused`, `target_timeout`; the signal's reason */
  async run(listen: Listen, far: FarListener, signal: AbortSignal): Promise<void> {
    let stream: Duplex | null = null;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const over = new Promise<never>((_, reject) => {
      limit.addEventListener('abort', () =>
        reject(
          signal.aborted
            ? signal.reason
            : new SallyportError('target_timeout', `a connection to ${far.at} on the SSH server does not come back`),
        ),
      );
    });
    over.catch(() => {});
    try {
      stream = await this.dial(placesOf(listen, far), signal);
      if (stream === null) return;
      stream.on('error', () => {});
      stream.write(this.token);
      await Promise.race([this.back.promise, over]);
    } finally {
      stream?.destroy();
      for (const handOn of [...this.held.values()]) handOn();
    }
  }

  /** Looks at what comes in while the trial runs; `client` is called for all but the trial's own connection. */
  sort(stream: Duplex, client: () => void): void {
    const handOn = () => {
      clearTimeout(timer);
      stream.pause();
      stream.off('data', onData).off('end', handOn).off('close', handOn);
      if (this.held.delete(stream)) client();
    };
    const timer = setTimeout(() => handOn(), silentMs);
    const onData = (chunk: Buffer) => {
      stream.pause();
      if (chunk.subarray(0, tokenBytes).equals(this.token)) {
        clearTimeout(timer);
        this.held.delete(stream);
        stream.destroy();
        this.back.resolve();
        return;
      }
      stream.off('data', onData);
      stream.unshift(chunk);
      handOn();
    };
    this.held.set(stream, handOn);
    stream.on('data', onData).on('end', handOn).on('close', handOn);
    stream.resume();
  }

  /** Null where the server lets nobody connect to the place: then nothing can be said about it. */
  private async dial(places: readonly Target[], signal: AbortSignal): Promise<Duplex | null> {
    let refused: unknown = null;
    for (const place of places) {
      try {
        return await this.link.dial(place, probeOrigin, signal);
      } catch (error) {
        if (!(error instanceof SallyportError)) throw error;
        if (error.code === 'target_prohibited' || error.code === 'target_unreachable') return null;
        if (error.code !== 'target_refused') throw error;
        refused = error;
      }
    }
    throw refused;
  }
}

/** Where the server may listen: at the address asked for, or on loopback where GatewayPorts says so. */
function placesOf(listen: Listen, far: FarListener): Target[] {
  if ('socket' in listen) return [{ socket: listen.socket }];
  const port = far.port ?? listen.port;
  const loopback = { host: 'localhost', port };
  const { address } = listen;
  if (address === undefined || /^(?:\*|localhost|0\.0\.0\.0|::)$/.test(address)) return [loopback];
  return [{ host: address, port }, loopback];
}
