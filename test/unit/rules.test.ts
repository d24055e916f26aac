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
