import { describe, expect, test } from 'vitest';
import { parseDescription } from '../../src/gateways/router/igd/description.ts';
import { decodeAnswer, encodeCall } from '../../src/gateways/router/igd/soap.ts';
import { decodeSearchAnswer, encodeSearch } from '../../src/gateways/router/ssdp.ts';
import { findAll, parseXml } from '../../src/gateways/router/xml.ts';

const service = (type: string, control: string) =>
  `<service><serviceType>urn:schemas-upnp-org:service:${type}</serviceType><controlURL>${control}</controlURL></service>`;
const description = (services: string, more = '') =>
  `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">${more}<device>
   <deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
   <manufacturer>ACME</manufacturer><modelName>Box &amp; Co</modelName>
   <deviceList><device><serviceList>${services}</serviceList></device></deviceList></device></root>`;
const location = 'http://192.168.77.1:5555/root.xml';

describe('SSDP', () => {
  const answer = (where: string) =>
    Buffer.from(
      `HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nst: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nServer: Box/1\u001b[2J\r\nLocation:${where}\r\n\r\n`,
    );

  test('a search, byte for byte', () => {
    expect(encodeSearch('urn:x', 2).toString()).toBe(
      'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 2\r\nST: urn:x\r\n\r\n',
    );
  });

  test('an answer', () => {
    expect(decodeSearchAnswer(answer(location), '192.168.77.1')).toEqual({
      location,
      target: 'urn:schemas-upnp-org:device:InternetGatewayDevice:1',
      server: 'Box/1[2J',
    });
  });

  test.each([
    'http://192.168.77.2:5555/root.xml',
    'http://127.0.0.1:5555/root.xml',
    'http://router.example/root.xml',
    'https://192.168.77.1/root.xml',
    'http://user:pass@192.168.77.1/root.xml',
    'file:///etc/passwd',
    '//[',
    '',
  ])('LOCATION %s from 192.168.77.1 is not followed', (where) => {
    expect(decodeSearchAnswer(answer(where), '192.168.77.1')).toBeNull();
  });
});

describe('descriptions', () => {
  test('services, best first', () => {
    const text = description(
      service('WANPPPConnection:1', '/ppp') +
        service('WANIPConnection:1', 'ctl/IPConn') +
        service('WANIPv6FirewallControl:1', '/fw6') +
        service('WANIPConnection:2', 'http://192.168.77.1:5555/two'),
    );
    expect(parseDescription(text, location)).toEqual({
      version: 2,
      model: 'ACME Box & Co',
      wan: [
        { type: 'urn:schemas-upnp-org:service:WANIPConnection:2', control: 'http://192.168.77.1:5555/two' },
        { type: 'urn:schemas-upnp-org:service:WANIPConnection:1', control: 'http://192.168.77.1:5555/ctl/IPConn' },
        { type: 'urn:schemas-upnp-org:service:WANPPPConnection:1', control: 'http://192.168.77.1:5555/ppp' },
      ],
      pinholes: {
        type: 'urn:schemas-upnp-org:service:WANIPv6FirewallControl:1',
        control: 'http://192.168.77.1:5555/fw6',
      },
    });
  });

  test('a control URL on another host is left out', () => {
    const text = description(service('WANIPConnection:1', 'http://192.168.77.99/ctl'));
    expect(parseDescription(text, location)).toBeNull();
  });

  test('a URLBase on another host does not count', () => {
    const text = description(service('WANIPConnection:1', '/ctl'), '<URLBase>http://10.0.0.1/</URLBase>');
    expect(parseDescription(text, location)?.wan[0]?.control).toBe('http://192.168.77.1:5555/ctl');
  });

  test('a printer is no gateway', () => {
    expect(parseDescription(description(service('PrintBasic:1', '/ctl')), location)).toBeNull();
  });
});

describe('SOAP', () => {
  test('a call, byte for byte', () => {
    const call = encodeCall('urn:s:1', 'DeletePortMapping', { NewRemoteHost: '', NewExternalPort: 80, X: '<&"' });
    expect(call.headers.soapaction).toBe('"urn:s:1#DeletePortMapping"');
    expect(call.body).toBe(
      '<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:DeletePortMapping xmlns:u="urn:s:1"><NewRemoteHost></NewRemoteHost><NewExternalPort>80</NewExternalPort><X>&#60;&#38;&#34;</X></u:DeletePortMapping></s:Body></s:Envelope>\r\n',
    );
  });

  const envelope = (body: string) =>
    `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${body}</s:Body></s:Envelope>`;

  test('an answer', () => {
    const answer = decodeAnswer(
      'GetExternalIPAddress',
      200,
      envelope(
        '<u:GetExternalIPAddressResponse xmlns:u="urn:s:1"><NewExternalIPAddress> 80.100.100.1\n</NewExternalIPAddress></u:GetExternalIPAddressResponse>',
      ),
    );
    expect(answer.ok && answer.values.get('NewExternalIPAddress')).toBe('80.100.100.1');
  });

  test('a fault', () => {
    const fault = envelope(
      '<s:Fault><faultcode>s:Client</faultcode><detail><UPnPError xmlns="urn:x"><errorCode>718</errorCode><errorDescription>ConflictInMappingEntry</errorDescription></UPnPError></detail></s:Fault>',
    );
    expect(decodeAnswer('AddPortMapping', 500, fault)).toEqual({
      ok: false,
      code: 718,
      description: 'ConflictInMappingEntry',
    });
  });

  test('neither', () => {
    expect(decodeAnswer('AddPortMapping', 404, '<html><body>no</body></html>')).toMatchObject({ ok: false, code: 404 });
    expect(decodeAnswer('AddPortMapping', 200, 'garbage')).toMatchObject({ ok: false, code: 501 });
    expect(decodeAnswer('AddPortMapping', 200, envelope('<OtherResponse/>'))).toMatchObject({ ok: false });
  });
});

describe('XML', () => {
  test('prefixes, entities, comments, CDATA, empty elements', () => {
    const root = parseXml(
      '\ufeff<?xml version="1.0"?><!-- <x> --><a:r q="1>2"><b/><c d=\'/\'>1 &lt; &#50; &#x33;<![CDATA[<&>]]></c></a:r>\n',
    );
    expect(root).toMatchObject({ name: 'r', children: [{ name: 'b' }, { name: 'c', text: '1 < 2 3<&>' }] });
  });

  test.each([
    ['a document type', '<!DOCTYPE r [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><r>&b;</r>'],
    ['crossed tags', '<a><b></a></b>'],
    ['an open tag', '<a><b'],
    ['an open element', '<a><b></b>'],
    ['two roots', '<a/><b/>'],
    ['nothing', ''],
    ['too deep', `${'<a>'.repeat(100)}${'</a>'.repeat(100)}`],
    ['too many', `<r>${'<a/>'.repeat(6000)}</r>`],
    ['too long', `<r>${'x'.repeat(300_000)}</r>`],
  ])('%s is refused', (_, text) => {
    expect(parseXml(text)).toBeNull();
  });

  test('an unknown entity stays as it is', () => {
    expect(findAll(parseXml('<r>&b;</r>') ?? expect.fail(), 'r')[0]?.text).toBe('&b;');
  });
});
