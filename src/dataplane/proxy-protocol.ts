// PROXY protocol, version 2, section 2.2 of its specification: tells a target who really connected.
import ipaddr from 'ipaddr.js';

const signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const versionAndProxy = 0x21;
const tcp4 = 0x11;
const tcp6 = 0x21;

export interface End {
  readonly address: string;
  readonly port: number;
}

/** The header for a TCP connection; where the families differ both addresses are written as IPv6. */
export function proxyHeader(source: End, destination: End): Buffer {
  const from = ipaddr.process(source.address);
  const to = ipaddr.process(destination.address);
  const both4 = from.kind() === 'ipv4' && to.kind() === 'ipv4';
  const bytes = (address: ipaddr.IPv4 | ipaddr.IPv6) =>
    both4 || address.kind() === 'ipv6'
      ? address.toByteArray()
      : (address as ipaddr.IPv4).toIPv4MappedAddress().toByteArray();
  const addresses = Buffer.from([...bytes(from), ...bytes(to)]);
  const head = Buffer.from([versionAndProxy, both4 ? tcp4 : tcp6, 0, addresses.length + 4]);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  return Buffer.concat([signature, head, addresses, ports]);
}
