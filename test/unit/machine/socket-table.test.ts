import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, test } from 'vitest';
import { decodeAddress, parseSocketTable } from '../../../src/machine/socket-table.ts';

describe("addresses in the kernel's socket tables", () => {
  test.each([
    ['0100007F', '127.0.0.1'],
    ['00000000', '0.0.0.0'],
    ['0101A8C0', '192.168.1.1'],
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000001000000', '::1'],
    ['0000000000000000FFFF00000100007F', '127.0.0.1'],
    ['B80D0120000000000000000001000000', '2001:db8::1'],
    ['000080FE00000000FF005450B6AD1DFE', 'fe80::5054:ff:fe1d:adb6'],
  ])('%s is %s on a little-endian machine', (hex, address) => {
    expect(decodeAddress(hex, true)).toBe(address);
  });

  test('a big-endian machine prints the words the other way round', () => {
    expect(decodeAddress('7F000001', false)).toBe('127.0.0.1');
    expect(decodeAddress('20010DB8000000000000000000000001', false)).toBe('2001:db8::1');
  });

  test.each(['', '7F', 'ZZ00007F', '0100007F00'])('%j is none', (hex) => {
    expect(decodeAddress(hex, true)).toBeNull();
  });
});

const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1597 1 0000000042dcf9a1 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 40211 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:1F90 0100007F:C351 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0000000000000000
garbage
   3: 0100007F:ZZZZ 00000000:0000 0A 0 0 0 0 0 0 0
`;

describe('socket tables', () => {
  test('columns are read, nonsense is passed over', () => {
    expect(parseSocketTable(tcp, 'tcp', 4, { littleEndian: true })).toEqual([
      {
        proto: 'tcp',
        family: 4,
        local: { address: '127.0.0.1', port: 22 },
        remote: { address: '0.0.0.0', port: 0 },
        state: 10,
        uid: 0,
        inode: 1597,
      },
      expect.objectContaining({ remote: { address: '127.0.0.1', port: 50_000 }, state: 1, uid: 1000, inode: 40_211 }),
      expect.objectContaining({ state: 6, inode: 0 }),
    ]);
  });

  test('unwanted lines are not decoded', () => {
    const entries = parseSocketTable(tcp, 'tcp', 4, { littleEndian: true, wanted: (local) => local.endsWith(':0016') });
    expect(entries.map((entry) => entry.local.port)).toEqual([22]);
  });
});

test('whatever address the kernel prints is read back', () => {
  const word = (bytes: number[]) =>
    [...bytes]
      .reverse()
      .map((byte) => byte.toString(16).toUpperCase().padStart(2, '0'))
      .join('');
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 })),
      fc.integer({ min: 0, max: 65_535 }),
      (array, port) => {
        const bytes = [...array];
        const hex = bytes.flatMap((_, i) => (i % 4 === 0 ? [word(bytes.slice(i, i + 4))] : [])).join('');
        const address = ipaddr.process(ipaddr.fromByteArray(bytes).toString()).toString();
        expect(decodeAddress(hex, true)).toBe(address);
        const end = `${hex}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
        const line = `  17: ${end} ${end} 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 20 4 30 10 -1`;
        expect(parseSocketTable(line, 'tcp', bytes.length === 4 ? 4 : 6, { littleEndian: true })).toMatchObject([
          { local: { address, port }, remote: { address, port }, state: 1, uid: 1000, inode: 4711 },
        ]);
      },
    ),
  );
});

test('no text whatever makes it throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'0A:F \n1'), maxLength: 200 }), (text) => {
      expect(parseSocketTable(text, 'tcp', 4).every((entry) => entry.local.port >= 0)).toBe(true);
    }),
  );
});
