// What any way of opening must do, whoever sees the call and whatever opens.
import { expect, test } from 'vitest';
import { answers, events, type Ground, left, must, opened, story } from './trigger-ground.ts';
import { lastSeen, until } from './until.ts';

const idleMs = 3000;
/** For what must still be open after a few commands, however slow the machine. */
const long = ['--idle', '40s'] as const;

/** Declares the cases; each makes the trigger `irc` anew. */
export function triggerCases(ground: () => Ground): void {
  const arm = (...more: string[]) =>
    must(ground(), 'trigger', 'irc', ...ground().flags, '--idle', '3s', '--up', ...more);

  test('opens to the caller alone, and is refused again within two seconds of the idle time', async () => {
    const at = ground();
    await arm();
    expect(await opened(at)).toEqual([]);
    expect(await at.inbound()).toBeNull();

    await at.call('first');
    await answers(at, 'first');
    const usedAt = performance.now();
    await until('the opening to be shown', async () => (await opened(at))[0]?.host === at.address.first);
    const heldAt = await lastSeen('the first host to have it no more', async () => {
      await at.call('second');
      return (await opened(at))[0]?.host !== at.address.first;
    });
    expect(performance.now() - usedAt).toBeGreaterThan(idleMs - 1000);
    expect(heldAt - usedAt).toBeLessThan(idleMs + 2000);
    await until('the whole story', async () => (await story(at)).includes(`closed ${at.address.first}`));
    const told = await story(at);
    expect(told[0]).toBe(`opened ${at.address.first}`);
    expect(told).toContain(`refused ${at.address.second}`);
    const why = (code: string) => events(at).then((all) => all.find((event) => event.code === code)?.message);
    expect(await why('trigger_refused')).toContain(`${at.address.first} holds it`);
    expect(await why('trigger_closed')).toMatch(/idle for 3 s/);

    await until('it to be over', async () => (await opened(at)).length === 0);
    expect(await at.inbound()).toBeNull();
    await until('the second host to get it', async () => {
      await at.call('second');
      return (await at.inbound()) === 'second';
    });
  });

  test('traffic from outside keeps it open', async () => {
    const at = ground();
    await arm();
    await at.call('first');
    await answers(at, 'first');
    const began = performance.now();
    let last = began;
    while (last - began < idleMs + 2500) {
      expect(await at.inbound()).toBe('first');
      last = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(await left(at)).toBeGreaterThan(0);
    const openAt = await lastSeen('it to close', async () => (await opened(at)).length === 0);
    expect(openAt - last).toBeLessThan(idleMs + 2000);
    expect(await at.inbound()).toBeNull();
  });

  test('its end moves with the use of the holder only', async () => {
    const at = ground();
    await arm(...long);
    await at.call('first');
    await until('the opening', async () => (await opened(at)).length > 0);
    // its own call counts for a second or so
    await until('some of the time to pass', async () => (await left(at)) < 37_500);
    const before = (await opened(at))[0]?.expiresAt ?? '';
    await until('another host to be turned away', async () => {
      await at.call('second');
      return (await story(at)).includes(`refused ${at.address.second}`);
    });
    const after = (await opened(at))[0];
    expect(after?.host).toBe(at.address.first);
    expect(Date.parse(after?.expiresAt ?? '') - Date.parse(before)).toBeLessThan(1000);
    await at.call('first');
    await until('a later end', async () => {
      const now = (await opened(at))[0];
      return now !== undefined && Date.parse(now.expiresAt) > Date.parse(before) + 500;
    });
  });

  test('--second last: the last caller takes it over', async () => {
    const at = ground();
    await arm(...long, '--second', 'last');
    await at.call('first');
    await until('the opening to be seen', async () => (await opened(at))[0]?.host === at.address.first);
    await at.call('second');
    await answers(at, 'second');
    await until('the word of it', async () => (await story(at)).includes(`taken_over ${at.address.second}`));
    expect((await opened(at)).every(({ host }) => host === at.address.second)).toBe(true);
  });

  test('opens and closes by hand, and --try says what would be', async () => {
    const at = ground();
    await arm(...long, '--from', `${at.address.first}/32`);
    const trial = async (host: string) => (await must(at, 'trigger', 'irc', '--try', host, '--json')).json();
    expect(await trial(at.address.first)).toEqual({ would: 'open', why: 'nobody holds it' });
    expect(await trial(at.address.second)).toMatchObject({ would: 'refuse' });
    expect(await opened(at)).toEqual([]);
    await at.call('second');
    expect(await at.inbound()).toBeNull();

    if (!at.flags.includes('remote')) {
      await must(at, 'open', 'irc', '--host', at.address.second, '--for', '2m');
      expect((await opened(at))[0]?.host).toBe(at.address.second);
      expect(await left(at)).toBeGreaterThan(60_000);
      await answers(at, 'second');
      expect(await trial(at.address.first)).toMatchObject({ would: 'refuse' });
      await must(at, 'close', 'irc');
      expect(await opened(at)).toEqual([]);
      await answers(at, null);
      expect(await story(at)).toEqual([`opened ${at.address.second}`, `closed ${at.address.second}`]);
    }
    await at.call('first');
    await answers(at, 'first');
    expect(await trial(at.address.first)).toMatchObject({ would: 'refresh' });
  });

  test('ls says armed, then for whom and how long', async () => {
    const at = ground();
    await arm(...long);
    const line = async () => (await must(at, 'ls')).stdout.split('\n').find((text) => text.startsWith('irc'));
    expect(await line()).toMatch(/armed$/);
    await at.call('first');
    await until('the opening', async () => (await opened(at)).length > 0);
    expect(await line()).toMatch(new RegExp(`open for ${at.address.first.replaceAll('.', '\\.')}, \\d+s left$`));
    expect((await must(at, 'show', 'irc')).stdout).toContain(`for ${at.address.first}, `);
  });
}
