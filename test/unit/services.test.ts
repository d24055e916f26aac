import { expect, test, vi } from 'vitest';
import { parseForwardSpec } from '../../src/model/endpoint.ts';
import { parseServicePort, parseServices } from '../../src/model/services.ts';

vi.mock('node:fs', async (original) => ({
  ...(await original<typeof import('node:fs')>()),
  readFileSync: () => '# names\nhttp\t\t80/tcp\t\twww   # WorldWideWeb\nhttp 8000/tcp\nsyslog 514/udp\n\n2nd 99/tcp\n',
}));

test('reads names and aliases of TCP services, the first of each', () => {
  const services = parseServices(
    'ssh 22/tcp\nhttps 443/tcp\nhttps 443/udp # QUIC\nwww 80/tcp http\nhttp 81/tcp\nbad\n',
  );
  expect(Object.fromEntries(services)).toEqual({ ssh: 22, https: 443, www: 80, http: 80 });
});

test('a port may be given by name, as ssh takes it', () => {
  expect(parseServicePort('www')).toBe(80);
  expect(parseServicePort('8080')).toBe(8080);
  expect(parseForwardSpec('local', 'www:web:http')).toEqual({
    kind: 'local',
    listen: { port: 80 },
    target: { host: 'web', port: 80 },
  });
});

test.each(['syslog', 'gopher', '2nd', '80x', ''])('%j is no port', (text) => {
  expect(() => parseServicePort(text)).toThrow(expect.objectContaining({ code: 'bad_value' }));
});
