import { expect, onTestFinished, test } from 'vitest';
import { createKernelProbes } from '../../../src/engine/kernel-probes.ts';
import { Mapping, Settings } from '../../../src/model/config.ts';
import type { ForwardEntry, Snapshot } from '../../../src/model/snapshot.ts';
import type { ProbeStatus } from '../../../src/model/state.ts';
import { echo } from '../../support/plane.ts';
import { freePort } from '../../support/ports.ts';
import { until } from '../../support/until.ts';

test('what was found out of one target is not said of the next', async () => {
  const server = await echo();
  onTestFinished(() => void server.close());
  const heard: ProbeStatus[] = [];
  let mapping = Mapping.parse({
    ...{ name: 'web', kind: 'mapping', via: 'nftables', listen: { port: 80 }, probe: '1s' },
    target: { host: '127.0.0.1', port: await freePort() },
  });
  const probes = createKernelProbes({
    settings: () => Settings.parse({}),
    target: () => ({ mapping, address: '127.0.0.1' }),
    onProbe: (_, status) => heard.push(status),
  });
  onTestFinished(() => probes.stop());
  const forwards = () =>
    ({
      web: { config: mapping, listener: { is: 'open', at: 'tcp/0.0.0.0:80', since: '' } } as unknown as ForwardEntry,
    }) satisfies Snapshot['forwards'];

  const first = forwards();
  probes.update({}, first);
  await until('the first target to be found dead', () => heard.length > 0);
  mapping = { ...mapping, note: 'about to move' };
  const noted = forwards();
  probes.update(first, noted);
  expect(heard.length).toBe(1);
  mapping = { ...mapping, target: { host: '127.0.0.1', port: server.port } };
  probes.update(noted, forwards());
  expect(heard[1]).toBeNull();
  await until('the next to be found alive', () => heard.length > 2);
  expect(heard.map((status) => status?.ok)).toEqual([false, undefined, true]);
});
