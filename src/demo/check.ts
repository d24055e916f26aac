// Real bytes through every kind of forward; what comes back is compared with what was sent.
import type { Client } from '../client/client.ts';
import { dialTcp, eventually, exchangeTcp, exchangeUdp, isRefused } from './exchange.ts';
import { socksDial } from './socks-dial.ts';
import { addForwards, type Cast, outside, type Stage } from './stage.ts';

const megabytes4 = 4 * 1024 * 1024;
const megabyte = 1024 * 1024;
const rowTimeoutMs = 20_000;

export interface CheckRow {
  readonly kind: string;
  /** Both directions together. */
  readonly bytes: number;
  readonly seconds: number;
  /** Bytes per second. */
  readonly rate: number;
  readonly ok: boolean;
  /** Why not; empty where ok. */
  readonly why: string;
}

/** Every kind in turn; a failed one does not keep the others from being tried. */
export async function checkAll(
  client: Client,
  stage: Stage & { sshConfig: string },
  report: (row: CheckRow) => void,
): Promise<void> {
  const cast = await addForwards(client, stage, '1s', false);
  const tcp = async (port: number) => exchangeTcp(await dialTcp(port), megabytes4, rowTimeoutMs);
  const socks = (way: 'socks5' | 'socks5-name' | 'socks4a') => async () =>
    exchangeTcp(await socksDial(way, cast.port('socks'), stage.echo.port), megabytes4, rowTimeoutMs);
  const steps: readonly (readonly [string, () => Promise<number>])[] = [
    ['local', () => tcp(cast.port('intranet'))],
    ['remote', () => tcp(cast.port('publish'))],
    ['dynamic, SOCKS 5', socks('socks5')],
    ['dynamic, SOCKS 5 by name', socks('socks5-name')],
    ['dynamic, SOCKS 4a', socks('socks4a')],
    ['mapping tcp, relay', () => tcp(cast.port('game'))],
    ['mapping udp, relay', () => exchangeUdp(cast.port('voice'), megabyte)],
    ...triggerSteps(client, stage, cast),
  ];
  for (const [kind, step] of steps) report(await timed(kind, step));
}

/** Closed, open while somebody calls, closed again. */
function triggerSteps(client: Client, stage: Stage, cast: Cast): (readonly [string, () => Promise<number>])[] {
  const closed = () => isRefused(stage.ident.port, outside);
  // Asked of the engine: a connection would be use, and keep it open.
  const over = async () => (await client.call('show', { name: 'irc' })).view.opened.length === 0;
  let opened = false;
  return [
    [
      'trigger, before the call',
      async () => {
        cast.mustBeUp('irc');
        if (!(await closed())) throw new Error('the port is open already');
        return 0;
      },
    ],
    [
      'trigger, after the call',
      async () => {
        cast.mustBeUp('irc');
        const call = await socksDial('socks5', cast.port('socks'), stage.chat.port);
        try {
          await eventually('the port opens', async () => !(await closed()), 5000);
          opened = true;
          const inbound = await exchangeTcp(await dialTcp(stage.ident.port, outside), megabyte, rowTimeoutMs);
          return inbound + (await exchangeTcp(call, megabyte, rowTimeoutMs));
        } finally {
          call.destroy();
        }
      },
    ],
    [
      'trigger, after the idle time',
      async () => {
        if (!opened) throw new Error('the port never opened');
        await eventually('the opening ends', over, 10_000);
        if (!(await closed())) throw new Error('the port is still open');
        return 0;
      },
    ],
  ];
}

async function timed(kind: string, step: () => Promise<number>): Promise<CheckRow> {
  const start = performance.now();
  let bytes = 0;
  let why = '';
  try {
    bytes = await step();
  } catch (error) {
    why = (error as Error).message || String(error);
  }
  const seconds = Math.round(performance.now() - start) / 1000;
  return { kind, bytes, seconds, rate: seconds > 0 ? Math.round(bytes / seconds) : 0, ok: why === '', why };
}
