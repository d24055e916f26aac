import { describe, expect, test } from 'vitest';
import { addressBytes, addressText, isPublic } from '../../src/gateways/router/address.ts';
import { stateLost } from '../../src/gateways/router/epoch.ts';
import { decodeNatPmp, encodeAddressRequest, encodeNatPmpMap } from '../../src/gateways/router/natpmp.ts';
import { answersMap, decodePcp, encodeAnnounce, encodeMap, type PcpMap } from '../../src/gateways/router/pcp.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const nonce = hex('000102030405060708090a0b');
const map: PcpMap = {
  nonce,
  proto: 'tcp',
  internalPort: 8080,
  externalPort: 18080,
  lifetimeSeconds: 3600,
  client: '192.168.77.10',
  preferFailure: true,
};

describe('PCP', () => {
  test('a MAP request, byte for byte', () => {
    expect(encodeMap(map)).toEqual(
      hex(`02 01 0000 00000e10  00000000000000000000ffffc0a84d0a
           000102030405060708090a0b  06 000000  1f90 46a0  00000000000000000000ffff00000000
           02 00 0000`),
    );
  });

  test('a MAP request over IPv6 that deletes', () => {
    expect(
      encodeMap({
        ...map,
        proto: 'udp',
        client: '2001:db8::10',
        externalPort: 0,
        lifetimeSeconds: 0,
        preferFailure: false,
      }),
    ).toEqual(
      hex(`02 01 0000 00000000  20010db8000000000000000000000010
           000102030405060708090a0b  11 000000  1f90 0000  00000000000000000000000000000000`),
    );
  });

  test('an ANNOUNCE request', () => {
    expect(encodeAnnounce('10.0.0.2')).toEqual(hex('02 00 0000 00000000 00000000000000000000ffff0a000002'));
  });

  const granted = hex(`02 81 00 00 00000078 0000002a 000000000000000000000000
                       000102030405060708090a0b 06 000000 1f90 46a0 00000000000000000000ffff50646401`);

  test('a granted mapping', () => {
    const response = decodePcp(granted);
    expect(response).toEqual({
      opcode: 'map',
      result: 'SUCCESS',
      lifetimeSeconds: 120,
      epochSeconds: 42,
      map: {
        nonce: Uint8Array.from(nonce),
        proto: 'tcp',
        internalPort: 8080,
        externalPort: 18080,
        externalAddress: '80.100.100.1',
      },
    });
    expect(response !== null && answersMap(response, map)).toBe(true);
  });

  test.each([
    ['another nonce', { ...map, nonce: Buffer.alloc(12, 7) }],
    ['another port', { ...map, internalPort: 8081 }],
    ['another protocol', { ...map, proto: 'udp' as const }],
  ])('an answer for %s is not ours', (_, other) => {
    const response = decodePcp(granted);
    expect(response !== null && answersMap(response, other)).toBe(false);
  });

  test('a refusal that is only a header still answers', () => {
    const refusal = decodePcp(hex('02 81 00 02 0000001e 00000001 000000000000000000000000'));
    expect(refusal?.result).toBe('NOT_AUTHORIZED');
    expect(refusal !== null && answersMap(refusal, map)).toBe(true);
  });

  test.each([
    ['shorter than a header', granted.subarray(0, 20)],
    ['not a multiple of four', granted.subarray(0, 59)],
    ['a success without the mapping', granted.subarray(0, 24)],
    ['a request', Buffer.concat([hex('0201'), granted.subarray(2)])],
    ['version 1', Buffer.concat([hex('0181'), granted.subarray(2)])],
    ['longer than PCP allows', Buffer.concat([granted, Buffer.alloc(1100)])],
  ])('%s is no response', (_, bytes) => {
    expect(decodePcp(bytes)).toBeNull();
  });

  test('result codes beyond the table', () => {
    expect(decodePcp(hex('02 80 00 ff 00000000 00000001 000000000000000000000000'))).toMatchObject({
      opcode: 'announce',
      result: 'UNKNOWN',
    });
  });
});

describe('NAT-PMP', () => {
  test('requests, byte for byte', () => {
    expect(encodeAddressRequest()).toEqual(hex('0000'));
    const wanted = { proto: 'udp', internalPort: 5353, externalPort: 15353, lifetimeSeconds: 7200 } as const;
    expect(encodeNatPmpMap(wanted)).toEqual(hex('00 01 0000 14e9 3bf9 00001c20'));
    expect(encodeNatPmpMap({ ...wanted, proto: 'tcp', externalPort: 0, lifetimeSeconds: 0 })).toEqual(
      hex('00 02 0000 14e9 0000 00000000'),
    );
  });

  test('never asks to delete every mapping of this machine', () => {
    expect(() => encodeNatPmpMap({ proto: 'tcp', internalPort: 0, externalPort: 0, lifetimeSeconds: 0 })).toThrow();
  });

  test('responses', () => {
    expect(decodeNatPmp(hex('00 80 0000 00000010 50646401'))).toEqual({
      opcode: 'address',
      result: 'SUCCESS',
      epochSeconds: 16,
      externalAddress: '80.100.100.1',
      map: null,
    });
    expect(decodeNatPmp(hex('00 82 0000 00000010 1f90 46a0 00000e10'))).toEqual({
      opcode: 'tcp',
      result: 'SUCCESS',
      epochSeconds: 16,
      externalAddress: null,
      map: { internalPort: 8080, externalPort: 18080, lifetimeSeconds: 3600 },
    });
    expect(decodeNatPmp(hex('00 81 0002 00000010'))).toMatchObject({ result: 'NOT_AUTHORIZED', map: null });
    expect(decodeNatPmp(hex('00 81 0001'))).toMatchObject({ result: 'UNSUPP_VERSION' });
  });

  test.each(['', '00', '0080', '00800000 00000010 506464', '00820000 00000010 1f9046a0 0000', '02800000 00000010'])(
    '%j is no response',
    (text) => {
      expect(decodeNatPmp(hex(text))).toBeNull();
    },
  );
});

describe('epochs', () => {
  const at = (seconds: number, seenMs: number) => ({ seconds, seenMs });
  test.each([
    ['both clocks agree', 'pcp', at(100, 0), at(160, 60_000), false],
    ['a second back is jitter', 'pcp', at(100, 0), at(99, 100), false],
    ['two seconds back is a restart', 'pcp', at(100, 0), at(98, 100), true],
    ['a restart that caught up', 'pcp', at(10, 0), at(40, 60_000), true],
    ['a clock that runs ahead', 'pcp', at(10, 0), at(400, 60_000), true],
    ['a clock that runs ahead', 'nat-pmp', at(10, 0), at(400, 60_000), false],
    ['drift of one in eight', 'nat-pmp', at(0, 0), at(700, 800_000), false],
    ['back to zero', 'nat-pmp', at(500, 0), at(0, 30_000), true],
  ] as const)('%s (%s)', (_, rules, before, after, lost) => {
    expect(stateLost(rules, before, after)).toBe(lost);
  });
});

describe('addresses', () => {
  test('IPv4 travels as IPv4-mapped', () => {
    expect(addressText(addressBytes('192.0.2.1'))).toBe('192.0.2.1');
    expect(addressText(addressBytes('fe80::1%eth0'))).toBe('fe80::1');
  });

  test.each([
    ['80.100.100.1', true],
    ['192.168.1.1', false],
    ['172.20.0.1', false],
    ['100.64.0.1', false],
    ['100.127.255.255', false],
    ['100.128.0.1', true],
    ['0.0.0.0', false],
    ['nonsense', false],
  ])('%s: the internet can send to it: %s', (address, expected) => {
    expect(isPublic(address)).toBe(expected);
  });
});
