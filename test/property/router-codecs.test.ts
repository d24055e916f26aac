import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDescription } from '../../src/gateways/router/igd/description.ts';
import { decodeAnswer } from '../../src/gateways/router/igd/soap.ts';
import { decodeNatPmp, encodeNatPmpMap } from '../../src/gateways/router/natpmp.ts';
import { answersMap, decodePcp, encodeMap } from '../../src/gateways/router/pcp.ts';
import { defaultRoute } from '../../src/gateways/router/route.ts';
import { decodeSearchAnswer } from '../../src/gateways/router/ssdp.ts';
import { escapeXml, parseXml } from '../../src/gateways/router/xml.ts';

const port = fc.integer({ min: 1, max: 65_535 });
const request = fc.record({
  nonce: fc.uint8Array({ minLength: 12, maxLength: 12 }),
  proto: fc.constantFrom('tcp', 'udp'),
  internalPort: port,
  externalPort: port,
  lifetimeSeconds: fc.nat(0xffffffff),
  client: fc.oneof(fc.ipV4(), fc.constant('2001:db8::7')),
  preferFailure: fc.boolean(),
});

describe('a hostile router', () => {
  test('any bytes: PCP and NAT-PMP give null or a whole response', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1200 }), (bytes) => {
        const pcp = decodePcp(bytes);
        if (pcp?.result === 'SUCCESS' && pcp.opcode === 'map') expect(pcp.map).not.toBeNull();
        const pmp = decodeNatPmp(bytes);
        if (pmp?.opcode === 'tcp' && pmp.result === 'SUCCESS') expect(pmp.map).not.toBeNull();
      }),
    );
  });

  test('a true answer is known; a cut or changed one is never taken for another request', () => {
    fc.assert(
      fc.property(request, fc.nat(63), fc.nat(255), fc.nat(64), (map, place, value, length) => {
        const answer = Buffer.from(encodeMap(map));
        answer[1] = 0x81;
        answer[3] = 0;
        const whole = decodePcp(answer);
        expect(whole !== null && answersMap(whole, map)).toBe(true);
        answer[place % answer.length] = value;
        const got = decodePcp(answer.subarray(0, length));
        if (got !== null && got.map !== null && answersMap(got, map)) {
          expect(Buffer.compare(got.map.nonce, map.nonce)).toBe(0);
        }
      }),
    );
  });

  test('what is asked over NAT-PMP is what an honest answer says', () => {
    fc.assert(
      fc.property(request, ({ proto, internalPort, externalPort, lifetimeSeconds }) => {
        const bytes = encodeNatPmpMap({ proto, internalPort, externalPort, lifetimeSeconds });
        const head = Buffer.from([0, bytes.readUInt8(1) | 0x80, 0, 0, 0, 0, 0, 9]);
        expect(decodeNatPmp(Buffer.concat([head, bytes.subarray(4, 12)]))).toMatchObject({
          opcode: proto,
          map: { internalPort, externalPort, lifetimeSeconds },
        });
      }),
    );
  });

  const soup = fc
    .array(
      fc.oneof(
        fc.constantFrom('<a>', '</a>', '<b c="', '"', '>', '<', '/>', '<!--', '-->', '<![CDATA[', ']]>', '<?', '?>'),
        fc.constantFrom('&lt;', '&#x110000;', '&#0;', '<!DOCTYPE a [', '<errorCode>', '</errorCode>', '<UPnPError>'),
        fc.string({ maxLength: 8 }),
      ),
      { maxLength: 60 },
    )
    .map((parts) => parts.join(''));

  test('any XML soup: no exception, no answer out of nothing', () => {
    fc.assert(
      fc.property(soup, (text) => {
        parseXml(text);
        expect(parseDescription(text, 'http://192.0.2.1/')).toBeNull();
        expect(decodeAnswer('AddPortMapping', 200, text).ok).toBe(false);
      }),
    );
  });

  test('text goes through escaping and back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(parseXml(`<r>${escapeXml(text)}</r>`)?.text).toBe(text.trim());
      }),
    );
  });

  test('any SSDP answer that is followed leads to its sender', () => {
    const head = fc.constantFrom('HTTP/1.1 200 OK', 'HTTP/1.1 301 Moved', 'NOTIFY * HTTP/1.1');
    const place = fc.oneof(
      fc.webUrl(),
      fc.ipV4().map((ip) => `http://${ip}/x`),
      fc.string().map((path) => `http://192.0.2.1${path}`),
      fc.string(),
    );
    fc.assert(
      fc.property(head, place, (first, where) => {
        const got = decodeSearchAnswer(Buffer.from(`${first}\r\nST: urn:x\r\nLOCATION: ${where}\r\n\r\n`), '192.0.2.1');
        if (got !== null) expect(new URL(got.location).hostname).toBe('192.0.2.1');
      }),
    );
  });

  test('any routing table', () => {
    const words = fc.array(fc.constantFrom('eth0', '00000000', '014DA8C0', '0003', '0', '\t', '\n', ' ', 'zz'));
    fc.assert(
      fc.property(
        words.map((list) => list.join('\t')),
        (table) => {
          defaultRoute(4, table);
          defaultRoute(6, table);
        },
      ),
    );
  });
});
