import { describe, expect, test } from 'vitest';
import { parsePortRangeSetting } from '../../../src/machine/audit-evidence.ts';
import { isOwnAddress, parseRoutes, parseRoutes6 } from '../../../src/machine/interfaces.ts';

describe('the default route', () => {
  const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';

  test('of IPv4 is the one up with the lowest metric', () => {
    const text = `${head}wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth1\t00000000\t0109A8C0\t0002\t0\t0\t10\t00000000\t0\t0\t0
eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
`;
    expect(parseRoutes(text, true)).toEqual({ interface: 'eth0', gateway: '192.168.2.1' });
    expect(parseRoutes(head, true)).toBeNull();
  });

  test('of a point-to-point link has no gateway', () => {
    const text = `${head}ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n`;
    expect(parseRoutes(text, true)).toEqual({ interface: 'ppp0', gateway: null });
  });

  test('of IPv6 is none that rejects', () => {
    const zero = '0'.repeat(32);
    const text = `${zero} 00 ${zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200       lo
20010db8000000000000000000000000 40 ${zero} 00 ${zero} 00000100 00000001 00000000 00000001     eth0
`;
    expect(parseRoutes6(text)).toEqual({ interface: 'eth0', gateway: 'fe80::1' });
    expect(parseRoutes6(text.split('\n').slice(1).join('\n'))).toBeNull();
  });
});

test.each([
  ['127.9.9.9', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['localhost', true],
  ['192.168.1.5', true],
  ['192.168.1.6', false],
  ['example.com', false],
])('%s is an address of this machine: %s', (address, own) => {
  const entry = { interface: 'eth0', address: '192.168.1.5', family: 4, mac: '', prefix: 24, loopback: false } as const;
  expect(isOwnAddress(address, [entry])).toBe(own);
});

test('the range of client ports', () => {
  expect(parsePortRangeSetting('32768\t60999\n')).toEqual({ first: 32_768, last: 60_999 });
  expect(parsePortRangeSetting('')).toBeNull();
});
