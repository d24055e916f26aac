import { expect, test } from 'vitest';
import { Mapping } from '../../src/model/config.ts';
import { secondPortsAdvice } from '../../src/model/second-ports.ts';

const mapping = (port: number, more: object = {}) =>
  Mapping.parse({
    name: 'x',
    kind: 'mapping',
    via: 'nftables',
    listen: { port: 8000 },
    target: { host: '192.168.1.2', port },
    ...more,
  });

test('what a protocol with second ports needs, by gateway', () => {
  expect(secondPortsAdvice(mapping(21))).toContain('--helper ftp');
  expect(secondPortsAdvice(mapping(21, { helper: 'ftp' }))).toBeNull();
  expect(secondPortsAdvice(mapping(21, { via: 'relay' }))).toContain('map those as well');
  expect(secondPortsAdvice(mapping(5060, { proto: 'both' }))).toContain('SIP');
  expect(secondPortsAdvice(mapping(69))).toBeNull();
  expect(secondPortsAdvice(mapping(554))).toMatch(/RTSP.*map those as well$/);
  expect(secondPortsAdvice(mapping(80))).toBeNull();
  expect(secondPortsAdvice(mapping(1, { listen: { port: 1, last: 65_535 } }))).toBeNull();
});
