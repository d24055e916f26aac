import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { normalAddress } from '../model/cidr.ts';

/** One established TCP connection of this machine, with the bytes the kernel has counted on it (`tcp_info`). */
export interface TcpConnection {
  readonly local: { readonly address: string; readonly port: number };
  readonly remote: { readonly address: string; readonly port: number };
  /** Bytes the far end has acknowledged. */
  readonly bytesAcked: number;
  readonly bytesReceived: number;
}

function parseEnd(text: string): TcpConnection['local'] | null {
  const colon = text.lastIndexOf(':');
  const address = normalAddress(text.slice(0, Math.max(colon, 0)).replace(/%[^\]]*/, ''));
  const port = Number(text.slice(colon + 1));
  return address === null || !Number.isInteger(port) ? null : { address, port };
}

/** Parses what `ss -tinHO` prints, see ss(8). A counter that is not printed is 0. */
export function parseTcpInfo(text: string): TcpConnection[] {
  return text.split('\n').flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    if (columns[0] !== 'ESTAB' && !columns[0]?.startsWith('CLOSE') && !columns[0]?.startsWith('FIN')) return [];
    const [local, remote] = [parseEnd(columns[3] ?? ''), parseEnd(columns[4] ?? '')];
    const counter = (name: string) => Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0);
    if (local === null || remote === null) return [];
    return [{ local, remote, bytesAcked: counter('bytes_acked'), bytesReceived: counter('bytes_received') }];
  });
}

/** The TCP connections of this machine; null where there is no `ss` that could tell. */
export async function tcpConnections(): Promise<TcpConnection[] | null> {
  try {
    const { stdout } = await promisify(execFile)('ss', ['-tinHO'], {
      maxBuffer: 256 * 1024 * 1024,
      timeout: 10_000,
      env: { ...process.env, LC_ALL: 'C' },
    });
    return parseTcpInfo(stdout);
  } catch {
    return null;
  }
}
