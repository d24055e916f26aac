import { once } from 'node:events';
import net from 'node:net';
import { expect, test } from 'vitest';
import { auditRows } from '../../src/machine/audit.ts';
import { machineEvidence } from '../../src/machine/audit-evidence.ts';

test("a real listener on every address is found, as somebody else's and with a level that counts", async () => {
  const server = net.createServer().listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const rows = auditRows({
    ...(await machineEvidence()),
    forwards: [],
    kernelMappings: [],
    routerMappings: [],
    ourPids: new Set(),
    externalAddress: null,
  });
  server.close();
  expect(rows.find((row) => row.port === port)).toEqual({
    proto: 'tcp',
    address: '0.0.0.0',
    port,
    owner: `node (pid ${process.pid})`,
    reach: 'world',
    layer: 'address',
    finding: expect.objectContaining({ level: 'medium', code: 'unmanaged_world' }),
  });
});
