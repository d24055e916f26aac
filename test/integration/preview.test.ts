// What the engine says a mapping would do, before it is made.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import { makeHome, type TestHome } from '../support/home.ts';

let home: TestHome;
let client: Client;

beforeAll(async () => {
  home = makeHome();
  client = await home.connect();
});
afterAll(async () => {
  client?.close();
  await home?.remove();
});

const preview = (more: object) =>
  client.call('preview', {
    forward: {
      name: 'web',
      kind: 'mapping',
      listen: { port: 28_080 },
      target: { host: '203.0.113.77', port: 80 },
      ...more,
    },
  });

test('the kernel: the elements and rules as nft takes them', async () => {
  const { actions, refusal, warnings } = await preview({ via: 'nftables', allow: ['198.51.100.0/24'] });
  expect(refusal).toBeNull();
  expect(actions[0]).toMatch(
    /^nft add element inet sallyport_\w+ dnat4_any \{ tcp \. 28080 : 203\.0\.113\.77 \. 80 \}$/,
  );
  expect(actions.join('\n')).toMatch(
    /nft add rule inet sallyport_\w+ r\w+_guard ip saddr != \{ 198\.51\.100\.0\/24 \}/,
  );
  expect(warnings).toEqual([]);
  const open = await preview({ via: 'nftables' });
  expect(open.warnings.join()).toContain('anybody who reaches this machine');
});

test('the router and the relay: in words', async () => {
  const router = await preview({ via: 'router', proto: 'both' });
  expect(router.actions[0]).toMatch(/^ask the router, over PCP.* to map tcp 28080 to [\d.]+:28080 for an hour/);
  expect(router.actions[2]).toContain('relay web to 203.0.113.77:80');
  const relay = await preview({ listen: { port: 28_080, last: 28_082 } });
  expect(relay.actions).toEqual(['listen on tcp/127.0.0.1:28080-28082, and connect each client to 203.0.113.77:80-82']);
});

test('what to know about it: second ports, a host nobody knows, a port that is taken', async () => {
  const ftp = await preview({ via: 'nftables', target: { host: '203.0.113.77', port: 21 } });
  expect(ftp.warnings.join()).toContain('--helper ftp');
  const gone = await preview({ target: { host: '02-00-00-00-00-99', port: 80 } });
  expect(gone).toMatchObject({ refusal: null, actions: [] });
  expect(gone.warnings.join()).toContain('02:00:00:00:00:99');
  await client.call('add', {
    forwards: [{ name: 'holder', kind: 'mapping', listen: { port: 28_080 }, target: { host: '203.0.113.7', port: 1 } }],
  });
  expect((await preview({})).refusal?.message).toContain('holder');
  await client.call('remove', { names: ['holder'] });
});

test.each([
  [{ allow: ['203.0.113.0/24'] }, /nobody on the allow list can get to 127\.0\.0\.1, where it listens: --bind/],
  [{ allow: ['::1'] }, /127\.0\.0\.1, where it listens/],
  [{ listen: { port: 28_080, address: '0.0.0.0' }, allow: ['2001:db8::/32'] }, /0\.0\.0\.0, where it listens/],
  [{ allow: ['127.0.0.0/16', '203.0.113.0/24'] }, null],
  [{ allow: ['0.0.0.0/0'] }, null],
  [{ listen: { port: 28_080, address: '*' }, allow: ['2001:db8::/32'] }, null],
  [{ listen: { port: 28_080, address: '0.0.0.0' }, allow: ['203.0.113.0/24'] }, null],
  [{ listen: { port: 28_080 }, via: 'nftables', allow: ['203.0.113.0/24'] }, null],
])('a list that lets in nobody who can come: %j', async (more, warning) => {
  const { warnings } = await preview(more);
  if (warning === null) expect(warnings).toEqual([]);
  else expect(warnings.join()).toMatch(warning);
});

test('the same of a tunnel, which listens on both loopbacks unless it says otherwise', async () => {
  const tunnel = async (listen: object, allow: string[]) =>
    (
      await client.call('preview', {
        forward: { name: 'web', kind: 'local', host: 'bastion', listen, target: { host: 'web', port: 80 }, allow },
      })
    ).warnings;
  expect((await tunnel({ port: 28_080 }, ['203.0.113.0/24'])).join()).toContain(
    'localhost, where it listens: ADDRESS:PORT',
  );
  expect(await tunnel({ port: 28_080 }, ['::1'])).toEqual([]);
  expect(await tunnel({ socket: '/tmp/web.sock' }, ['203.0.113.0/24'])).toEqual([]);
});
