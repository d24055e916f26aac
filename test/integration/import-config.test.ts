import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatListen } from '../../src/model/endpoint.ts';
import { hostAliases } from '../../src/ssh/host-aliases.ts';
import { forwardsFromSshConfig } from '../../src/ssh/import-config.ts';
import { findTool, missing } from '../support/tools.ts';

let home: string;
let file: string;

beforeAll(() => {
  home = mkdtempSync(path.join(os.tmpdir(), 'import-'));
  file = path.join(home, '.ssh', 'config');
  mkdirSync(path.dirname(file));
  writeFileSync(
    path.join(home, '.ssh', 'extra.conf'),
    'Host extra "quoted name"\n  DynamicForward 1090\nInclude extra.conf\n',
  );
  writeFileSync(
    file,
    `Include ~/.ssh/extra.conf ~/.ssh/none-*
Host web web-again !not *.wild
  LocalForward 8080 intra:80
  LocalForward 127.0.0.1:8081 [2001:db8::1]:443
  LocalForward /tmp/a:b.sock /tmp/c.sock
  LocalForward 8082 /run/x.sock
  RemoteForward 9090 localhost:90
  RemoteForward 1080
  RemoteForward 0 localhost:22
Host open
  GatewayPorts yes
  DynamicForward 1081
Host plain -odd
  User x
Host broken
  ProxyJump broken
`,
  );
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('aliases are the concrete hosts, Include followed', async () => {
  expect(await hostAliases({ file, home })).toEqual([
    'extra',
    'quoted name',
    'web',
    'web-again',
    'open',
    'plain',
    'broken',
  ]);
  expect(await hostAliases({ home })).toEqual(await hostAliases({ file, home }));
  expect(await hostAliases({ file: '/nonexistent', home })).toEqual([]);
});

describe.each([
  ['ssh', () => findTool('ssh'), ':'],
  ['the library', () => null, '.'],
])('forwards of a configuration, read by %s', (reader, ssh, colon) => {
  test.skipIf(reader === 'ssh' && missing('ssh'))('are taken over', async () => {
    writeFileSync(path.join(home, 'only.conf'), 'Host extra "quoted name"\n  DynamicForward 1090\n');
    writeFileSync(path.join(home, 'copy'), `Include ${home}/only.conf\n${textWithoutInclude(colon)}`);
    const { forwards, skipped } = await forwardsFromSshConfig({
      file: path.join(home, 'copy'),
      env: { home, ssh: ssh() },
      taken: ['open'],
      session: 'work',
    });
    expect(
      forwards.map((forward) => {
        if (!('host' in forward)) throw new Error('not over ssh');
        const target = 'target' in forward ? forward.target : undefined;
        return [forward.name, forward.kind, forward.host, formatListen(forward.listen), target];
      }),
    ).toEqual([
      ['extra', 'dynamic', 'extra', '127.0.0.1:1090', undefined],
      ['web', 'local', 'web', '127.0.0.1:8080', { host: 'intra', port: 80 }],
      ['web-2', 'local', 'web', '127.0.0.1:8081', { host: '2001:db8::1', port: 443 }],
      ['web-3', 'local', 'web', `/tmp/a${colon}b.sock`, { socket: '/tmp/c.sock' }],
      ['web-4', 'local', 'web', '127.0.0.1:8082', { socket: '/run/x.sock' }],
      ['web-5', 'remote', 'web', '127.0.0.1:9090', { host: 'localhost', port: 90 }],
      ['web-6', 'remote', 'web', '127.0.0.1:1080', undefined],
      ['web-7', 'remote', 'web', '127.0.0.1:0', { host: 'localhost', port: 22 }],
      ['web-again', 'remote', 'web-again', '127.0.0.1:9090', { host: 'localhost', port: 90 }],
      ['web-again-2', 'remote', 'web-again', '127.0.0.1:1080', undefined],
      ['web-again-3', 'remote', 'web-again', '127.0.0.1:0', { host: 'localhost', port: 22 }],
      ['open-2', 'dynamic', 'open', '0.0.0.0:1081', undefined],
    ]);
    expect(forwards[0]).toMatchObject({
      session: 'work',
      enabled: false,
      ssh: { configFile: path.join(home, 'copy') },
    });
    expect(skipped).toEqual(
      expect.arrayContaining([
        {
          host: 'web-again',
          line: 'localforward 8080 [intra]:80',
          why: '127.0.0.1:8080 is listened on by web already',
        },
        { host: 'broken', line: '', why: expect.stringContaining('jumphost loop') },
        { host: 'quoted name', line: '', why: expect.any(String) },
      ]),
    );
  });
});

/** Only ssh itself reads an escaped colon. */
function textWithoutInclude(colon: string): string {
  return `Host web web-again
  LocalForward 8080 intra:80
  LocalForward 127.0.0.1:8081 [2001:db8::1]:443
  LocalForward /tmp/a${colon === ':' ? '\\:' : colon}b.sock /tmp/c.sock
  LocalForward 8082 /run/x.sock
  RemoteForward 9090 localhost:90
  RemoteForward 1080
  RemoteForward 0 localhost:22
Host open
  GatewayPorts yes
  DynamicForward 1081
Host broken
  ProxyJump broken
`;
}
