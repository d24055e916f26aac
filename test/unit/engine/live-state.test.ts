import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLiveState } from '../../../src/engine/live-state.ts';
import { type Action, initialState } from '../../../src/engine/state.ts';
import { Config } from '../../../src/model/config.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';

const at = '2026-01-02T03:04:05.000Z';
const config = Config.parse({
  version: 1,
  forwards: ['a', 'b'].map((name, i) => ({
    ...{ name, kind: 'local', enabled: true, host: 'box' },
    ...{ listen: { port: 8000 + i }, target: { host: 'web', port: 80 } },
  })),
});
const opens = (name: string, port: number): Action => ({
  type: 'listener',
  at,
  name,
  status: { is: 'open', at: `127.0.0.1:${port}`, since: at },
});

function watched() {
  const first = initialState({ pid: 1, version: '0', startedAt: at, home: '/h', hostname: 'box' }, config);
  const steps: { before: Snapshot; after: Snapshot }[] = [];
  const live = createLiveState(first, (before, after) => steps.push({ before, after }));
  return { live, steps, first };
}
const listeners = ({ forwards }: Snapshot) => Object.values(forwards).map(({ listener }) => listener.is);

test('what one turn changes is one step, and each action is seen at once by a look that keeps nothing', async () => {
  const { live, steps, first } = watched();
  live.dispatch(opens('a', 8000));
  expect(listeners(live.peek())).toEqual(['open', 'closed']);
  live.dispatch(opens('b', 8001));
  expect(steps).toEqual([]);
  await turn();
  expect(steps.map(({ before, after }) => [listeners(before), listeners(after)])).toEqual([
    [
      ['closed', 'closed'],
      ['open', 'open'],
    ],
  ]);
  expect(steps[0]?.before).toBe(first);
  expect(live.show().rev).toBe(first.rev + 2);
});

test('what was shown never changes', async () => {
  const { live, steps } = watched();
  live.dispatch(opens('a', 8000));
  const shown = live.show();
  live.dispatch(opens('b', 8001));
  live.dispatch({ type: 'listener', at, name: 'a', status: { is: 'closed' } });
  expect(listeners(shown)).toEqual(['open', 'closed']);
  await turn();
  expect(steps.map(({ after }) => listeners(after))).toEqual([
    ['open', 'closed'],
    ['closed', 'open'],
  ]);
});

test('what a step makes happen is a step of its own', () => {
  const first = initialState({ pid: 1, version: '0', startedAt: at, home: '/h', hostname: 'box' }, config);
  const seen: string[][] = [];
  const live = createLiveState(first, (_, after) => {
    seen.push(listeners(after));
    if (after.forwards.b?.listener.is === 'closed') live.dispatch(opens('b', 8001));
  });
  live.dispatch(opens('a', 8000));
  expect(listeners(live.show())).toEqual(['open', 'open']);
  expect(seen).toEqual([
    ['open', 'closed'],
    ['open', 'open'],
  ]);
});
