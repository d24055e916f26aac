import type { Client } from '../client/client.ts';
import type { Home } from '../model/home.ts';
import { formatBytes, formatRate } from '../present/quantity.ts';
import { renderTable } from '../present/table.ts';
import { type CheckRow, checkAll } from './check.ts';
import { type DemoHome, makeHome } from './home.ts';
import { addForwards, type Stage, setStage } from './stage.ts';
import { playTraffic } from './traffic.ts';

export interface CheckOptions {
  readonly engineFile: string;
  readonly print: (line: string) => void;
  /** Takes the rows as one value instead of the printed table. */
  readonly json: ((value: unknown) => void) | null;
}

/** Pushes bytes through every kind of forward in a throw-away home; 0 when all came back as sent. */
export function runCheck({ engineFile, print, json }: CheckOptions): Promise<number> {
  return inThrowAway(engineFile, async (demo, stage) => {
    const rows: CheckRow[] = [];
    const client = await demo.client();
    try {
      await checkAll(client, stage, (row) => rows.push(row));
    } finally {
      client.close();
    }
    if (json !== null) json(rows);
    else for (const line of checkTable(rows)) print(line);
    return rows.every(({ ok }) => ok) ? 0 : 1;
  });
}

function checkTable(rows: readonly CheckRow[]): string[] {
  return renderTable(
    [
      { title: 'KIND' },
      { title: 'BYTES', align: 'right' },
      { title: 'SECONDS', align: 'right' },
      { title: 'RATE', align: 'right' },
      { title: 'RESULT' },
    ],
    rows.map(({ kind, bytes, seconds, rate, ok, why }) => [
      kind,
      bytes === 0 ? '-' : formatBytes(bytes),
      seconds.toFixed(2),
      bytes === 0 ? '-' : formatRate(rate),
      ok ? 'ok' : `failed: ${why}`,
    ]),
    { width: null },
  );
}

export interface ShowOptions {
  readonly engineFile: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly dashboard: (options: {
    client: () => Promise<Client>;
    home: Home;
    env: NodeJS.ProcessEnv;
    stdin: NodeJS.ReadStream;
    stdout: NodeJS.WriteStream;
    throwAway: boolean;
  }) => Promise<number>;
}

/** The dashboard over live sample traffic, until the person leaves. */
export function runShow({ engineFile, stdin, stdout, dashboard }: ShowOptions): Promise<number> {
  return inThrowAway(engineFile, async (demo, stage, signal) => {
    const client = await demo.client();
    const cast = await addForwards(client, stage, '5m', true).finally(() => client.close());
    playTraffic(stage, cast, signal);
    return dashboard({ client: demo.client, home: demo.home, env: process.env, stdin, stdout, throwAway: true });
  });
}

type StageAndConfig = Stage & { readonly sshConfig: string };

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/**
 * Gives `play` a home and a stage, and takes both away after it, or at a signal.
 * @returns what `play` gives, or 128 and the signal's number, as shells count
 */
async function inThrowAway(
  engineFile: string,
  play: (demo: DemoHome, stage: StageAndConfig, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const ended = new AbortController();
  const killed = Promise.withResolvers<number>();
  const handlers = Object.entries(signalNumbers).map(([name, number]) => {
    const handler = () => killed.resolve(128 + number);
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  const demo = makeHome(engineFile);
  let stage: StageAndConfig | null = null;
  try {
    stage = await setStage(demo.dir);
    return await Promise.race([play(demo, stage, ended.signal), killed.promise]);
  } finally {
    ended.abort();
    await demo.remove();
    await stage?.stop();
    for (const off of handlers) off();
  }
}
