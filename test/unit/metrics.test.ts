import { expect, test } from 'vitest';
import { renderMetrics } from '../../src/engine/metrics.ts';
import { Forward } from '../../src/model/config.ts';
import { noCounters } from '../../src/model/flow.ts';
import { parseMetricsAddress } from '../../src/model/metrics-address.ts';
import { viewForward } from '../../src/model/snapshot.ts';

test('a scrape has every forward with its counts and its one state', async () => {
  const config = Forward.parse({
    name: 'web',
    kind: 'local',
    host: 'box',
    listen: { port: 1 },
    target: { host: 'w', port: 2 },
  });
  const entry = {
    config,
    link: null,
    listener: { is: 'closed' as const },
    probe: null,
    lastError: null,
    opened: [],
    history: [],
  };
  const text = await renderMetrics({
    views: () => [viewForward(entry, {})],
    counters: () => ({ ...noCounters, rx: 42, refused: 3 }),
  });
  expect(text).toContain('sallyport_received_bytes_total{forward="web",kind="local",via="ssh2"} 42');
  expect(text).toContain('sallyport_refused_clients_total{forward="web",kind="local",via="ssh2"} 3');
  expect(text).toContain('sallyport_forward_state{forward="web",state="off"} 1');
  expect(text).toContain('sallyport_forward_state{forward="web",state="up"} 0');
});

test('the address is loopback or refused', () => {
  expect(parseMetricsAddress('9464')).toEqual({ host: '127.0.0.1', port: 9464 });
  expect(parseMetricsAddress('[::1]:9464')).toEqual({ host: '::1', port: 9464 });
  expect(() => parseMetricsAddress('0.0.0.0:9464')).toThrow(expect.objectContaining({ code: 'bad_value' }));
  expect(() => parseMetricsAddress('nonsense')).toThrow(expect.objectContaining({ code: 'bad_value' }));
});
