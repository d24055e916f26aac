import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { missing } from '../support/tools.ts';

const needs = missing('ip') || (process.getuid?.() === 0 ? false : 'network namespaces need root');
const gateway = `sp-gw-${process.pid}`;
const host = `sp-h-${process.pid}`;
const ip = (...args: string[]) => execFileSync('ip', args);
const source = path.join(import.meta.dirname, '../../src/machine');

/** Runs a line of code in the gateway's namespace, with the modules of src/machine. */
function inGateway(expression: string): unknown {
  const script = `
    const net = await import('node:net');
    const { devices } = await import('${source}/devices.ts');
    const { macOf, resolveInternal } = await import('${source}/internal-host.ts');
    const { defaultRoute, lanAddress } = await import('${source}/interfaces.ts');
    console.log(JSON.stringify(await (${expression})));`;
  const node = [process.execPath, '--input-type=module', '-e', script];
  return JSON.parse(
    execFileSync('ip', ['netns', 'exec', gateway, ...node], { stdio: ['ignore', 'pipe', 'ignore'] }).toString(),
  );
}

describe.skipIf(needs)('a gateway with a host inside', () => {
  const mac = '52:54:00:aa:00:01';

  beforeAll(() => {
    ip('netns', 'add', gateway);
    ip('netns', 'add', host);
    ip('-n', gateway, 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host);
    ip('-n', host, 'link', 'set', 'eth0', 'address', mac);
    ip('-n', gateway, 'addr', 'add', '192.168.77.1/24', 'dev', 'lan0');
    ip('-n', host, 'addr', 'add', '192.168.77.10/24', 'dev', 'eth0');
    for (const [namespace, device] of [
      [gateway, 'lo'],
      [gateway, 'lan0'],
      [host, 'lo'],
      [host, 'eth0'],
    ] as const) {
      ip('-n', namespace, 'link', 'set', device, 'up');
    }
    ip('-n', gateway, 'route', 'add', 'default', 'via', '192.168.77.254');
    // Refused, but by then each has heard the other's MAC address.
    inGateway("new Promise((done) => net.connect(9, '192.168.77.10').on('error', (error) => done(error.code)))");
  });
  afterAll(() => {
    for (const namespace of [gateway, host]) {
      try {
        ip('netns', 'del', namespace);
      } catch {}
    }
  });

  test('the host is a device with its MAC address, and the gateway is none', () => {
    const found = inGateway('devices()') as { address: string }[];
    expect(found).toContainEqual(expect.objectContaining({ address: '192.168.77.10', mac, source: 'neighbour' }));
    expect(found.map((device) => device.address)).not.toContain('192.168.77.1');
  });

  test('its MAC address leads to its address and back', () => {
    expect(inGateway(`resolveInternal('${mac.replaceAll(':', '-')}')`)).toEqual(['192.168.77.10']);
    expect(inGateway("macOf('192.168.77.10')")).toBe(mac);
  });

  test('the default route and the address neighbours know', () => {
    expect(inGateway('defaultRoute()')).toEqual({ interface: 'lan0', gateway: '192.168.77.254' });
    expect(inGateway('defaultRoute(6)')).toBeNull();
    expect(inGateway('lanAddress()')).toBe('192.168.77.1');
  });
});
