import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ClaimRules, Claims } from '../../src/triggers/claims.ts';

/** The rules said the long way: a list of what gives the holder time, looked at afresh on every question. */
interface Model {
  now: number;
  rules: ClaimRules;
  opening: { host: string; openedAt: number; hardEnd: number; grants: number[] } | null;
}

const holderOf = ({ now, opening }: Model): string | null =>
  opening !== null && now < opening.hardEnd && opening.grants.some((until) => now < until) ? opening.host : null;

const openFor = (model: Model, host: string, ms: number, atLeastMs = 0) => {
  const max = model.rules.maxOpenMs;
  const hardEnd = max === null ? Number.POSITIVE_INFINITY : model.now + Math.max(max, atLeastMs);
  model.opening = { host, openedAt: model.now, hardEnd, grants: [model.now + ms] };
};

type Command = fc.Command<Model, Claims>;
const always = { check: () => true };

const claim = (host: string): Command => ({
  ...always,
  run(model, real) {
    const holder = holderOf(model);
    const trial = real.trial(host, model.now).would;
    const outcome = real.claim(host, model.now);
    if (holder === null) {
      expect([outcome.is, trial]).toEqual(['opened', 'open']);
      openFor(model, host, model.rules.idleMs);
    } else if (holder === host) {
      expect([outcome.is, trial]).toEqual(['refreshed', 'refresh']);
      model.opening?.grants.push(model.now + model.rules.idleMs);
    } else if (model.rules.second === 'first') {
      expect([outcome, trial]).toEqual([{ is: 'refused', host, holder }, 'refuse']);
    } else {
      expect([outcome, trial]).toEqual([{ is: 'taken_over', host, from: holder, byHand: false }, 'take_over']);
      openFor(model, host, model.rules.idleMs);
    }
  },
  toString: () => `claim ${host}`,
});

const touch = (host: string): Command => ({
  ...always,
  run(model, real) {
    const { opening } = model;
    const mine = opening?.host === host && model.now < opening.hardEnd;
    expect(real.touch(host, model.now)).toBe(mine);
    if (mine) model.opening?.grants.push(model.now + model.rules.idleMs);
  },
  toString: () => `touch ${host}`,
});

const pass = (ms: number): Command => ({
  ...always,
  run(model) {
    model.now += ms;
  },
  toString: () => `pass ${ms}`,
});

const tick: Command = {
  ...always,
  run(model, real) {
    const holder = holderOf(model);
    const outcome = real.tick(model.now);
    expect(outcome !== null).toBe(model.opening !== null && holder === null);
    if (outcome === null) return;
    const late = Math.max(...(model.opening?.grants ?? []));
    expect(outcome).toEqual({
      is: 'closed',
      host: model.opening?.host,
      why: (model.opening?.hardEnd ?? 0) <= late ? 'max_open' : 'idle',
    });
    model.opening = null;
    expect(real.nextTick).toBeNull();
  },
  toString: () => 'tick',
};

const openManually = (host: string, ms: number): Command => ({
  ...always,
  run(model, real) {
    const holder = holderOf(model);
    const outcome = real.openManually(host, ms, model.now);
    expect(outcome.is).toBe(holder === null || holder === host ? 'opened' : 'taken_over');
    openFor(model, host, ms, ms);
  },
  toString: () => `open ${host} for ${ms}`,
});

const close: Command = {
  ...always,
  run(model, real) {
    const { opening } = model;
    expect(real.close()).toEqual(opening === null ? null : { is: 'closed', host: opening.host, why: 'by_hand' });
    expect(real.nextTick).toBeNull();
    model.opening = null;
  },
  toString: () => 'close',
};

const host = fc.constantFrom('192.168.1.20', '192.168.1.21', '2001:db8::1');

test('the owner and its time follow the rules, whatever comes in what order', () => {
  const commands = fc.commands(
    [
      host.map(claim),
      host.map(touch),
      // the edges too: to the very end of a time
      fc.oneof(fc.nat(700), fc.constantFrom(100, 300, 500, 1000)).map(pass),
      fc.constant(tick),
      fc.tuple(host, fc.integer({ min: 1, max: 2000 })).map(([who, ms]) => openManually(who, ms)),
      fc.constant(close),
    ],
    { maxCommands: 80 },
  );
  const rules = fc.record({
    idleMs: fc.constantFrom(100, 500, 1000),
    second: fc.constantFrom('first' as const, 'last' as const),
    maxOpenMs: fc.constantFrom(null, 300, 2500),
  });
  fc.assert(
    fc.property(rules, commands, (rule, list) => {
      fc.modelRun(
        () => ({ model: { now: 0, rules: rule, opening: null } as Model, real: new Claims(rule) }),
        withChecks(list as Iterable<Command>),
      );
    }),
    { numRuns: 300 },
  );
});

/** After every step both agree on the holder, and the holder's end is where the next tick finds it. */
function* withChecks(commands: Iterable<Command>): Iterable<Command> {
  for (const command of commands) {
    yield {
      check: (model) => command.check(model),
      run(model, real) {
        command.run(model, real);
        const current = real.current(model.now);
        expect(current?.host ?? null).toBe(holderOf(model));
        if (current !== null) {
          expect(current.expiresAt).toBe(
            Math.min(model.opening?.hardEnd ?? 0, Math.max(...(model.opening?.grants ?? []))),
          );
          expect(real.nextTick).toBe(current.expiresAt);
        }
      },
      toString: () => command.toString(),
    };
  }
}

test('a claim taken over from a former engine ends when it would have', () => {
  const claims = new Claims({ idleMs: 1000, second: 'first', maxOpenMs: 5000 });
  claims.adopt({ host: 'a', openedAt: -4000, expiresAt: 400 });
  expect(claims.claim('b', 0)).toMatchObject({ is: 'refused', holder: 'a' });
  expect(claims.touch('a', 300)).toBe(true);
  expect(claims.current(300)?.expiresAt).toBe(1000);
  expect(claims.tick(1000)).toEqual({ is: 'closed', host: 'a', why: 'max_open' });
});
