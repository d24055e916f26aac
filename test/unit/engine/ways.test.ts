import { expect, test } from 'vitest';
import type { RunRequest, Runs } from '../../../src/engine/runs.ts';
import { createWays } from '../../../src/engine/triggers/ways.ts';
import { Trigger } from '../../../src/model/config.ts';

test.each(['relay', 'remote'] as const)('what a trigger opens via %s is not tried: that would call its host', (via) => {
  const asked: RunRequest[] = [];
  const runs = { start: (request: RunRequest) => void asked.push(request) } as unknown as Runs;
  const ways = createWays({ runs, setRules: () => {}, linkDest: () => 'bastion' });
  const on = { proto: 'tcp', ports: '6667' };
  const open = [{ proto: 'tcp', ports: '113,5000-5001' }];
  ways.open(Trigger.parse({ name: 'irc', kind: 'trigger', via, on, open }), '192.168.1.20', 'link');
  expect(asked.length).toBeGreaterThan(1);
  for (const { forward } of asked) expect(forward).toMatchObject({ probe: false });
});
