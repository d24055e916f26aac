import { describe, expect, test } from 'vitest';
import { parseForwardSpec } from '../../src/model/endpoint.ts';

describe('forwarding specifications, as ssh(1) reads them', () => {
  test.each([
    ['local', '8080:web:80', { listen: { port: 8080 }, target: { host: 'web', port: 80 } }],
    ['local', '0:web:80', { listen: { port: 0 }, target: { host: 'web', port: 80 } }],
    [
      'local',
      '[::1]:8080:[2001:db8::1]:80',
      { listen: { address: '::1', port: 8080 }, target: { host: '2001:db8::1', port: 80 } },
    ],
    ['local', '*:8080:web:80', { listen: { address: '*', port: 8080 }, target: { host: 'web', port: 80 } }],
    ['local', ':8080:web:80', { listen: { address: '*', port: 8080 }, target: { host: 'web', port: 80 } }],
    ['local', '8080:/run/x.sock', { listen: { port: 8080 }, target: { socket: '/run/x.sock' } }],
    [
      'local',
      '127.0.0.1:8080:/run/x.sock',
      { listen: { address: '127.0.0.1', port: 8080 }, target: { socket: '/run/x.sock' } },
    ],
    ['local', '/tmp/a.sock:/run/x.sock', { listen: { socket: '/tmp/a.sock' }, target: { socket: '/run/x.sock' } }],
    ['local', '/tmp/a.sock:db:5432', { listen: { socket: '/tmp/a.sock' }, target: { host: 'db', port: 5432 } }],
    ['remote', '9000:localhost:3000', { listen: { port: 9000 }, target: { host: 'localhost', port: 3000 } }],
    ['remote', '1080', { listen: { port: 1080 }, target: null }],
    ['remote', '0.0.0.0:1080', { listen: { address: '0.0.0.0', port: 1080 }, target: null }],
    [
      'remote',
      '/run/far.sock:/run/near.sock',
      { listen: { socket: '/run/far.sock' }, target: { socket: '/run/near.sock' } },
    ],
    ['remote', '0:/run/near.sock', { listen: { port: 0 }, target: { socket: '/run/near.sock' } }],
    ['dynamic', '1080', { listen: { port: 1080 }, target: null }],
    ['dynamic', '/run/socks.sock', { listen: { socket: '/run/socks.sock' }, target: null }],
    ['dynamic', '[::1]:1080', { listen: { address: '::1', port: 1080 }, target: null }],
  ] as const)('%s %s', (kind, text, expected) => {
    expect(parseForwardSpec(kind, text)).toEqual({ kind, ...expected });
  });

  test.each([
    ['local', ''],
    ['local', '8080'],
    ['local', '8080:web'],
    ['local', '8080:web:no-such-service'],
    ['local', '8080::80'],
    ['local', '70000:web:80'],
    ['local', '8080:web:0'],
    ['local', 'a:b:8080:web:80'],
    ['local', '[::1:8080:web:80'],
    ['local', '[::1]8080:web:80'],
    ['dynamic', '1080:web:80'],
    ['dynamic', 'x'],
    ['dynamic', '/run/socks.sock:web:80'],
    ['local', '8080/web/80'],
    ['remote', 'a:b'],
  ] as const)('%s %j is refused in one line with the form', (kind, text) => {
    expect(() => parseForwardSpec(kind, text)).toThrow(
      expect.objectContaining({
        code: 'bad_spec',
        hint: expect.stringContaining('the form is'),
        message: expect.not.stringContaining('\n'),
      }),
    );
  });
});
