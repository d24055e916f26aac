// What the SSH protocol runs over: a TCP connection, a proxy command, or a stream through the jump host's link.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { formatEndpoint } from '../../../model/endpoint.ts';
import { type FailureCode, SallyportError } from '../../../model/errors.ts';
import type { Link } from '../carrier.ts';
import { connectFailure } from './failures.ts';
import { ProxyStream } from './proxy-command.ts';
import type { LinkSettings } from './settings.ts';
import { connectTcp } from './tcp.ts';

export interface Transport {
  readonly stream: Duplex;
  /** The peer's IP address; empty where something is in between. */
  readonly peer: string;
  /** As shown to people. */
  readonly address: string;
  bytesRead(): number;
}

/** How the far side of a jump host says what a direct connection would have. */
const throughJump: Partial<Record<FailureCode, FailureCode>> = {
  target_refused: 'host_refused',
  target_unreachable: 'host_unreachable',
  target_timeout: 'host_timeout',
};

function jumpFailure(error: unknown, settings: LinkSettings): SallyportError {
  const jump = settings.jump || 'the jump host';
  if (!(error instanceof SallyportError)) {
    return new SallyportError('jump_failed', `${jump}: ${(error as Error).message}`, '', { cause: error });
  }
  const code = throughJump[error.code];
  if (code !== undefined)
    return new SallyportError(code, `from ${jump}: ${error.message}`, error.hint, { cause: error });
  return new SallyportError(
    'jump_failed',
    `the jump host ${jump} is not up: ${error.message}`,
    error.hint || `sallyport host ${jump} shows how it is reached`,
    { cause: error },
  );
}

/** Waits until the jump host is up. @throws SallyportError `jump_failed` where it gave up; the signal's reason */
export async function jumpReady(settings: LinkSettings, via: Link, signal: AbortSignal): Promise<void> {
  try {
    await via.ready(signal);
  } catch (error) {
    if (signal.aborted && error === signal.reason) throw error;
    throw jumpFailure(error, settings);
  }
}

async function openThroughJump(settings: LinkSettings, via: Link, signal: AbortSignal): Promise<Transport> {
  const { host, port } = settings;
  try {
    const stream = await via.dial({ host, port }, { address: '127.0.0.1', port: 0 }, signal);
    let received = 0;
    const push = stream.push.bind(stream);
    // Counted as it comes in, without a listener that would set the stream flowing.
    stream.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      received += chunk?.length ?? 0;
      return push(chunk, encoding);
    };
    return { stream, peer: '', address: formatEndpoint({ host, port }), bytesRead: () => received };
  } catch (error) {
    if (signal.aborted && error === signal.reason) throw error;
    throw jumpFailure(error, settings);
  }
}

async function openTcp(settings: LinkSettings, signal: AbortSignal): Promise<Transport> {
  const { host, port, family, bindAddress } = settings;
  const what = formatEndpoint({ host, port });
  let socket: Socket;
  try {
    socket = await connectTcp({ host, port, family, bindAddress, keepAlive: settings.tcpKeepAlive, signal });
  } catch (error) {
    if (signal.aborted && error === signal.reason) throw error;
    throw connectFailure(error, what);
  }
  const peer = socket.remoteAddress ?? '';
  const address = formatEndpoint({ host: peer, port: socket.remotePort ?? port });
  return { stream: socket, peer, address, bytesRead: () => socket.bytesRead };
}

/** @throws SallyportError, or the signal's reason */
export async function openTransport(settings: LinkSettings, via: Link | null, signal: AbortSignal): Promise<Transport> {
  if (via !== null) return openThroughJump(settings, via, signal);
  if (settings.proxyCommand !== null) {
    const stream = new ProxyStream(settings.proxyCommand);
    const address = formatEndpoint({ host: settings.host, port: settings.port });
    return { stream, peer: '', address, bytesRead: () => stream.bytesRead };
  }
  return openTcp(settings, signal);
}
