import { expect, test } from 'vitest';
import type { Command, Runnable } from '../../../src/dataplane/messages.ts';
import type { Meter } from '../../../src/engine/meter.ts';
import type { Pool } from '../../../src/engine/pool.ts';
import { createRuns } from '../../../src/engine/runs.ts';
import { Forward, Settings } from '../../../src/model/config.ts';
import type { ListenerStatus } from '../../../src/model/state.ts';

const forward = Forward.parse({
  ...{ name: 'web', kind: 'mapping', via: 'relay', proto: 'tcp' },
  ...{ listen: { port: 8080 }, target: { host: '127.0.0.1', port: 80 } },
}) as Runnable['forward'];

/** Runs over a data plane that does nothing but keep what it is told. */
function idleRuns() {
  const commands: Command[] = [];
  const told: ListenerStatus['is'][] = [];
  const pool = { pin: () => 0, unpin: () => {}, send: (_: number, command: Command) => commands.push(command) };
  const runs = createRuns({
    pool: pool as unknown as Pool,
    meter: { cell: () => new SharedArrayBuffer(8) } as unknown as Meter,
    settings: () => Settings.parse({}),
    plan: async () => [],
    onListener: (_, status) => told.push(status.is),
    onBound: () => {},
  });
  return { runs, commands, told };
}

test('what was stopped has stopped when the data plane says so, not before; others wait for nobody', async () => {
  const { runs, commands } = idleRuns();
  runs.start({ id: 'web', forward });
  void runs.stop('web');
  expect(commands.at(-1)).toMatchObject({ do: 'stop', id: 'web' });
  let over = false;
  const stopped = runs.stopped(['web']).then(() => {
    over = true;
  });
  await runs.stopped(['another']);
  expect(over).toBe(false);
  runs.onStopped('web');
  await stopped;
  expect(runs.has('web')).toBe(false);
});

test('what starts anew while it stops is opening at once: what it was is no answer to who waits', () => {
  const { runs, told } = idleRuns();
  runs.start({ id: 'web', forward });
  void runs.stop('web');
  const before = told.length;
  runs.start({ id: 'web', forward });
  expect(told.slice(before)).toEqual(['opening']);
  expect(runs.requested('web')).toEqual({ id: 'web', forward });
});
