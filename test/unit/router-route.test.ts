import { expect, test } from 'vitest';
import { defaultRoute } from '../../src/gateways/router/route.ts';

const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';

test('the default route with the lowest metric', () => {
  const table = `${head}wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
eth0\t00000000\t014DA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t004DA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`;
  expect(defaultRoute(4, table)).toEqual({ gateway: '192.168.77.1', device: 'eth0' });
});

test('a point-to-point default has no gateway to ask', () => {
  expect(defaultRoute(4, `${head}ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n`)).toBeNull();
});

test('IPv6: a link-local gateway comes with its interface', () => {
  const zero = '0'.repeat(32);
  const table = `${zero} 00 ${zero} 00 fe80000000000000021122fffe334455 00000400 00000003 00000000 00000003     eth0
${zero} 00 ${zero} 00 ${zero} ffffffff 00000001 00000000 00200200       lo\n`;
  expect(defaultRoute(6, table)).toEqual({ gateway: 'fe80::211:22ff:fe33:4455%eth0', device: 'eth0' });
});
