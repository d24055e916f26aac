import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyChange } from '../../src/client/mirror.ts';
import { changeBetween } from '../../src/engine/publisher.ts';
import { type Action, initialState, reduce } from '../../src/engine/state.ts';
import { Config, emptyConfig } from '../../src/model/config.ts';
import { type Snapshot, viewForward } from '../../src/model/snapshot.ts';
import { forwardStates } from '../../src/model/state.ts';

const names = ['a', 'b', 'c'] as const;
const at = '2026-01-02T03:04:05.000Z';
const error = { code: 'host_lost', message: 'gone', hint: '' } as const;
const name = fc.constantFrom(...names);

const config = fc
  .subarray([...names])
  .chain((present) => fc.tuple(fc.constant(present), fc.array(fc.boolean(), { minLength: 3, maxLength: 3 })))
  .map(([present, enabled]) =>
    Config.parse({
      version: 1,
      forwards: present.map((forward, i) => ({
        name: forward,
        kind: 'local',
        enabled: enabled[i],
        host: 'box',
        listen: { port: 8000 + i },
        target: { host: 'web', port: 80 },
      })),
    }),
  );

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ type: fc.constant('config' as const), config, undo: fc.constantFrom(null, 'add a') }),
  fc.record({
    type: fc.constant('listener' as const),
    at: fc.constant(at),
    name,
    status: fc.constantFrom(
      { is: 'closed' as const },
      { is: 'opening' as const },
      { is: 'open' as const, at: '127.0.0.1:8000', since: at },
      { is: 'failed' as const, error },
    ),
  }),
  fc.record({
    type: fc.constant('bound' as const),
    name,
    links: fc
      .constantFrom('l1', 'l2')
      .map((id) => [{ id, dest: 'box', options: {}, carrier: 'ssh2' as const, why: '', via: null, args: [] }]),
  }),
  fc.record({
    type: fc.constant('link' as const),
    at: fc.constant(at),
    id: fc.constantFrom('l1', 'l2'),
    status: fc.constantFrom(
      { is: 'connecting' as const },
      { is: 'retrying' as const, error, nextTry: at, attempt: 1 },
      { is: 'failed' as const, error },
    ),
  }),
  fc.record({
    type: fc.constant('probe' as const),
    at: fc.constant(at),
    name,
    status: fc.constantFrom(null, { ok: false as const, at, error }),
  }),
);

const blank = (): Snapshot =>
  initialState({ pid: 1, version: '0', startedAt: at, home: '/h', hostname: 'box' }, emptyConfig());

describe('the reducer', () => {
  test('a mirror fed with the changes is the state', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (actions, every) => {
        let state = blank();
        let sent = state;
        let mirror: Snapshot = structuredClone(state);
        actions.forEach((next, i) => {
          state = reduce(state, next);
          if (i % every !== 0) return;
          if (state !== sent)
            mirror = applyChange(mirror, JSON.parse(JSON.stringify(changeBetween(sent, state)))) as Snapshot;
          sent = state;
          expect(mirror).toEqual(JSON.parse(JSON.stringify(state)));
        });
      }),
    );
  });

  test('what did not change keeps its identity, the revision counts every change, and no link is kept that nobody uses', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        let state = blank();
        for (const next of actions) {
          const after = reduce(state, next);
          expect(after.rev).toBe(after === state ? state.rev : state.rev + 1);
          if (next.type === 'listener') {
            for (const other of names.filter((candidate) => candidate !== next.name)) {
              expect(after.forwards[other]).toBe(state.forwards[other]);
            }
          }
          state = after;
        }
        const used = new Set(Object.values(state.forwards).map(({ link }) => link));
        expect(Object.keys(state.links).every((id) => used.has(id))).toBe(true);
        for (const entry of Object.values(state.forwards)) {
          const view = viewForward(entry, state.links);
          expect(forwardStates).toContain(view.state);
          expect(view.state === 'off').toBe(!entry.config.enabled);
          expect(view.error === null && (view.state === 'failed' || view.state === 'retrying')).toBe(false);
        }
      }),
    );
  });

  test('a change that does not start from what the mirror has is refused', () => {
    const state = blank();
    expect(applyChange(state, { from: state.rev + 1, rev: state.rev + 2 })).toBeNull();
  });
});
