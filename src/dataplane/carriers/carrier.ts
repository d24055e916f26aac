import type { Duplex } from 'node:stream';
import type { Listen, Target } from '../../model/endpoint.ts';

/** Who a flow comes from, told to the far end where the protocol has a place for it. */
export interface Origin {
  readonly address: string;
  readonly port: number;
}

/** A listener the carrier holds at the far end. */
export interface FarListener {
  /** Address and port as granted, shown to people; the path of a Unix socket. */
  readonly at: string;
  readonly port: number | null;
  /** Resolves once the far end has let go, or the carrier is gone. Can be called twice. */
  close(): Promise<void>;
}

/**
 * Carries flows' bytes. The streams it hands out are half-open duplexes with backpressure: `end` is a FIN to the far
 * side, `destroy(error)` a reset. They are handed out paused and with no data lost.
 */
export interface Carrier {
  /**
   * Opens a stream to `target` as the far end resolves it.
   * @throws SallyportError `target_refused`, `target_unreachable`, `target_timeout`, `host_lost`
   */
  dial(target: Target, origin: Origin, signal: AbortSignal): Promise<Duplex>;
  /**
   * Listens at the far end.
   * @throws SallyportError `remote_port_taken`, `remote_port_reclaim`, `remote_listen_denied`, `host_lost`
   */
  listen(at: Listen, accept: (stream: Duplex, peer: Origin) => void, signal: AbortSignal): Promise<FarListener>;
}

/** A kept SSH connection. It reconnects by itself; what waits on it need not know. */
export interface Link extends Carrier {
  readonly id: string;
  /** Whether it is up at this moment. */
  readonly up: boolean;
  /** Counts a user in; the first starts the connection. The function given back counts it out, once. */
  hold(): () => void;
  /** Resolves when up; rejects when it has failed for good, or at the signal. */
  ready(signal: AbortSignal): Promise<void>;
  /** Called at every change of up or not up; returns the way to unsubscribe. */
  onUp(listener: (up: boolean) => void): () => void;
  stop(): Promise<void>;
}
