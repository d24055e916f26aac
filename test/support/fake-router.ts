// A router that speaks the real protocols and misbehaves on request. Options as JSON in argv; prints `ready`.
import { createSocket } from 'node:dgram';
import { createServer, type ServerResponse } from 'node:http';

export interface FakeRouterOptions {
  readonly address: string;
  /** PCP result for MAP; absent: PCP is not spoken, NAT-PMP only. */
  readonly pcpResult?: number;
  /** Added to the port asked for. */
  readonly portShift?: number;
  readonly externalAddress?: string;
  /** No PCP and NAT-PMP at all. */
  readonly udp?: boolean;
  /** PCP is announced, but MAP requests are not answered. */
  readonly mute?: boolean;
  /** How UPnP misbehaves; absent: it is not spoken. */
  readonly upnp?: 'permanent' | 'redirect' | 'huge' | 'endless' | 'elsewhere' | 'silent' | 'bomb';
}

const options: FakeRouterOptions = JSON.parse(process.argv[2] ?? '{}');
const external = (options.externalAddress ?? '80.100.100.1').split('.').map(Number);
const mappings = new Map<string, Map<string, string>>();
const startedMs = Date.now();
const epoch = () => 1000 + Math.floor((Date.now() - startedMs) / 1000);

function answerUdp(request: Buffer): Buffer | null {
  if (request[0] === 2 && options.pcpResult !== undefined) {
    const answer = Buffer.from(request.subarray(0, request[1] === 1 ? 60 : 24));
    answer[1] = (request[1] ?? 0) | 0x80;
    answer[3] = request[1] === 1 ? options.pcpResult : 0;
    answer.writeUInt32BE(epoch(), 8);
    answer.fill(0, 12, 24);
    if (request[1] === 1) {
      answer.writeUInt16BE(request.readUInt16BE(42) + (options.portShift ?? 0), 42);
      Buffer.from([0xff, 0xff, ...external]).copy(answer, 54);
      console.log(`map ${request.readUInt16BE(42)} ${request.readUInt32BE(4)}`);
      if (options.mute) return null;
    }
    return answer;
  }
  const answer = Buffer.alloc(16);
  answer[1] = (request[1] ?? 0) | 0x80;
  answer.writeUInt32BE(epoch(), 4);
  if (request[0] !== 0) {
    answer.writeUInt16BE(1, 2);
    return answer.subarray(0, 8);
  }
  if (request[1] === 0) {
    Buffer.from(external).copy(answer, 8);
    return answer.subarray(0, 12);
  }
  request.copy(answer, 8, 4, 12);
  answer.writeUInt16BE(request.readUInt16BE(6) + (options.portShift ?? 0), 10);
  return answer;
}

const service = 'urn:schemas-upnp-org:service:WANIPConnection:1';
const description = `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><modelName>Fake</modelName>
<serviceList><service><serviceType>${service}</serviceType><controlURL>/ctl</controlURL></service></serviceList></device></root>`;

function fault(response: ServerResponse, code: number): void {
  response.writeHead(500);
  response.end(
    `<s:Envelope xmlns:s="x"><s:Body><s:Fault><detail><UPnPError><errorCode>${code}</errorCode><errorDescription>no</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>`,
  );
}

/** A UPnP error's number, or the values of a success. */
function callAction(action: string, args: Map<string, string>): number | Iterable<[string, string]> {
  const key = `${args.get('NewProtocol')} ${args.get('NewExternalPort')}`;
  switch (action) {
    case 'GetExternalIPAddress':
      return [['NewExternalIPAddress', external.join('.')]];
    case 'AddPortMapping':
      console.log(`add ${key} ${args.get('NewLeaseDuration')}`);
      if (args.get('NewLeaseDuration') !== '0') return 725;
      mappings.set(key, args);
      return [];
    case 'DeletePortMapping':
      console.log(`delete ${key}`);
      return mappings.delete(key) ? [] : 714;
    case 'GetSpecificPortMappingEntry':
      return mappings.get(key) ?? 714;
    case 'GetGenericPortMappingEntry': {
      if (options.upnp !== 'endless') return 713;
      const client = '\u001b[2J';
      return Object.entries({
        NewProtocol: 'TCP',
        NewExternalPort: '7',
        NewInternalPort: '7',
        NewInternalClient: client,
      });
    }
    default:
      return 401;
  }
}

function answerSoap(action: string, args: Map<string, string>, response: ServerResponse): void {
  const result = callAction(action, args);
  if (typeof result === 'number') {
    fault(response, result);
    return;
  }
  const fields = [...result].map(([name, value]) => `<${name}>${value}</${name}>`).join('');
  response.end(
    `<s:Envelope xmlns:s="x"><s:Body><u:${action}Response xmlns:u="y">${fields}</u:${action}Response></s:Body></s:Envelope>`,
  );
}

function sendHuge(response: ServerResponse): void {
  let sent = 0;
  const chunk = Buffer.alloc(65_536, ' ');
  const more = () => {
    while (sent < 100 * 1024 * 1024) {
      sent += chunk.length;
      if (!response.write(chunk)) {
        response.once('drain', more);
        return;
      }
    }
    response.end(description);
  };
  response.on('close', () => console.log(`sent ${sent}`));
  more();
}

function describe(response: ServerResponse): void {
  console.log('described');
  switch (options.upnp) {
    case 'redirect':
      response.writeHead(302, { location: 'http://80.100.100.2/' });
      response.end();
      break;
    case 'bomb':
      response.end(`<!DOCTYPE r [<!ENTITY a "${'x'.repeat(1000)}">]>${description.replace('Fake', '&a;')}`);
      break;
    case 'huge':
      sendHuge(response);
      break;
    default:
      response.end(description);
  }
}

const http = createServer((request, response) => {
  response.on('error', () => {});
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    if (options.upnp === 'silent') return;
    if (request.method !== 'POST') {
      describe(response);
      return;
    }
    const body = Buffer.concat(chunks).toString();
    const args = new Map([...body.matchAll(/<(New\w+)>([^<]*)</g)].map(([, name = '', value = '']) => [name, value]));
    answerSoap(/#(\w+)/.exec(String(request.headers.soapaction))?.[1] ?? '', args, response);
  });
});

if (options.upnp !== undefined) {
  http.listen(5555, options.address);
  const ssdp = createSocket({ type: 'udp4', reuseAddr: true });
  ssdp.on('message', (_, from) => {
    const host = options.upnp === 'elsewhere' ? '192.168.77.11' : options.address;
    const lines = ['HTTP/1.1 200 OK', `LOCATION: http://${host}:5555/root.xml`, `ST: ${service}`, '', ''];
    ssdp.send(lines.join('\r\n'), from.port, from.address);
  });
  ssdp.bind(1900, () => ssdp.addMembership('239.255.255.250', options.address));
}
if (options.udp !== false) {
  const server = createSocket('udp4');
  server.on('message', (request, from) => {
    const answer = answerUdp(request);
    if (answer !== null) server.send(answer, from.port, from.address);
  });
  server.bind(5351, options.address);
}
console.log('ready');
