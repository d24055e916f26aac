import { expect, it } from 'vitest';
import { Forward } from '../../src/model/config.ts';
import { checkForward } from '../../src/model/rules.ts';

const mapping = (more: object) =>
  Forward.parse({
    name: 'web',
    kind: 'mapping',
    listen: { port: 8080 },
    target: { host: '192.168.1.20', port: 80 },
    ...more,
  });

it.each([
  { via: 'nftables', proxyProtocol: true },
  { via: 'relay', masquerade: true },
  { via: 'router', masquerade: true },
  { via: 'relay', helper: 'ftp' },
])('refuses what its gateway cannot do: %o', (more) => {
  expect(() => checkForward(mapping(more))).toThrow(/is nothing (relay|nftables|router) can do/);
});

it.each([
  { via: 'relay', proxyProtocol: true },
  { via: 'router', proxyProtocol: true },
  { via: 'nftables', masquerade: true, helper: 'ftp' },
  { via: 'relay', masquerade: false },
])('takes what it can: %o', (more) => {
  expect(() => checkForward(mapping(more))).not.toThrow();
});

it.each([
  { via: 'nftables', target: { host: '192.168.1.20', port: 80 }, allow: ['2001:db8::/32'] },
  { via: 'nftables', target: { host: '2001:db8::20', port: 80 }, allow: ['203.0.113.0/24', '10.0.0.0/8'] },
])('refuses a list that would keep everybody out: %o', (more) => {
  expect(() => checkForward(mapping(more))).toThrow(/no network of the allow list is IPv[46], as .* is/);
});

it.each([
  { via: 'nftables', target: { host: '192.168.1.20', port: 80 }, allow: ['2001:db8::/32', '203.0.113.0/24'] },
  { via: 'nftables', target: { host: 'printer', port: 80 }, allow: ['2001:db8::/32'] },
  { via: 'relay', target: { host: '192.168.1.20', port: 80 }, allow: ['2001:db8::/32'] },
])('takes one that lets somebody in: %o', (more) => {
  expect(() => checkForward(mapping(more))).not.toThrow();
});

it.each(['0.0.0.0', '::', '224.0.0.1', 'ff02::1', '255.255.255.255'])('%s is no host to map to', (host) => {
  expect(() => checkForward(mapping({ target: { host, port: 80 } }))).toThrow(`${host} is no host`);
});

it.each([
  [{ listen: { port: 80 }, target: { host: '127.0.0.1', port: 80 } }],
  [{ listen: { port: 80 }, target: { host: 'localhost', port: 80 } }],
  [{ listen: { port: 80, last: 90, address: '*' }, target: { host: '::1', port: 80 } }],
  [{ listen: { port: 80, address: '::' }, target: { host: '::1', port: 80 } }],
  [{ listen: { port: 80, address: '10.0.0.1' }, target: { host: '10.0.0.1', port: 80 } }],
])('refuses a relay that would lead to itself: %j', (more) => {
  expect(() => checkForward(mapping(more))).toThrow(/lead to itself/);
});

it.each([
  [{ listen: { port: 80 }, target: { host: '127.0.0.1', port: 81 } }],
  [{ listen: { port: 80 }, target: { host: '127.0.0.2', port: 80 } }],
  [{ listen: { port: 80, address: '10.0.0.1' }, target: { host: '127.0.0.1', port: 80 } }],
  [{ listen: { port: 80 }, target: { host: 'web', port: 80 } }],
  [{ listen: { port: 80, address: '::' }, target: { host: '127.0.0.1', port: 80 } }],
  [{ listen: { port: 80, address: '0.0.0.0' }, target: { host: '::1', port: 80 } }],
])('takes a relay to this machine that does not: %j', (more) => {
  expect(() => checkForward(mapping(more))).not.toThrow();
});

it.each(['999.1.1.1', '127.0.0.1:80', 'a b', '[::1', '-x', '10.0.0.0/8'])('refuses to listen on %s', (address) => {
  expect(() => checkForward(mapping({ listen: { port: 80, address } }))).toThrow(/is not an address to listen on/);
});

it.each(['*', '0.0.0.0', '::', '::1', 'fe80::1%eth0', 'localhost', 'gw.example.com'])('listens on %s', (address) => {
  expect(() => checkForward(mapping({ listen: { port: 80, address } }))).not.toThrow();
});
