import { expect, test } from 'vitest';
import { initialState, reduce } from '../../src/engine/state.ts';
import { Config } from '../../src/model/config.ts';

test('what is unusual about who connects stays beside the forward, the last of it', () => {
  const config = Config.parse({
    version: 1,
    forwards: [{ name: 'game', kind: 'mapping', listen: { port: 1 }, target: { host: '10.0.0.1', port: 1 } }],
  });
  const engine = { pid: 1, version: '0', startedAt: '2026-01-01T00:00:00.000Z', home: '/h', hostname: 'box' };
  const before = initialState(engine, config);
  const mark = { at: '2026-01-01T00:00:01.000Z', code: 'burst', message: '80 connections within 5 s' };
  const after = reduce(before, { type: 'unusual', name: 'game', ...mark });
  expect(after.forwards.game?.unusual).toEqual(mark);
  expect(reduce(after, { type: 'unusual', name: 'gone', ...mark })).toBe(after);
});
