// iperf3 as source and sink of bytes: it moves more than any relay here, so it is never what is measured.
import { execFile, spawn } from 'node:child_process';
import net from 'node:net';
import { promisify } from 'node:util';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);

/** Waits until something listens on 127.0.0.1. */
export function listening(port: number): Promise<boolean> {
  return until(
    `port ${port}`,
    () =>
      new Promise<boolean>((resolve) => {
        const socket = net.connect(port, '127.0.0.1');
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
        socket.once('connect', () => socket.destroy());
      }),
  );
}

export interface IperfServer {
  readonly port: number;
  stop(): void;
}

export async function iperfServer(): Promise<IperfServer> {
  const port = await freePort();
  const child = spawn('iperf3', ['-s', '-p', String(port)], { stdio: 'ignore' });
  await listening(port);
  return { port, stop: () => void child.kill() };
}

interface Report {
  readonly end: {
    readonly sum_received: { readonly bits_per_second: number };
    readonly sum: { readonly packets: number; readonly lost_packets: number; readonly seconds: number };
  };
}

/** iperf3 serves one client at a time, and says so for a moment after the last. */
async function report(args: readonly string[]): Promise<Report> {
  return until(
    'iperf3',
    async () => {
      const parsed = JSON.parse((await run('iperf3', ['-J', ...args])).stdout) as Report & { readonly error?: string };
      if (parsed.error !== undefined) throw new Error(parsed.error);
      return parsed;
    },
    { everyMs: 300 },
  );
}

const seconds = '2';

/** Gbit/s through `port`; `up` is from the client to the target. */
export async function bulk(port: number, way: 'up' | 'down'): Promise<number> {
  const args = ['-c', '127.0.0.1', '-p', String(port), '-t', seconds, ...(way === 'down' ? ['-R'] : [])];
  return (await report(args)).end.sum_received.bits_per_second / 1e9;
}

/** Datagrams a second that get through `port`, sent as fast as they go. */
export async function datagrams(port: number, bytes: number): Promise<number> {
  const args = ['-c', '127.0.0.1', '-p', String(port), '-u', '-b', '0', '-l', String(bytes), '-t', seconds];
  const { sum } = (await report(args)).end;
  return (sum.packets - sum.lost_packets) / sum.seconds;
}
