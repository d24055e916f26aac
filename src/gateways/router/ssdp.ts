// SSDP, the search part of UPnP (UPnP Device Architecture 1.1 section 1.3). Text only, no sockets.
import { familyOf } from './address.ts';

export const ssdpGroup = '239.255.255.250';
export const ssdpPort = 1900;

/** What is searched for, best first. */
export const searchTargets = [
  'urn:schemas-upnp-org:device:InternetGatewayDevice:2',
  'urn:schemas-upnp-org:device:InternetGatewayDevice:1',
  'urn:schemas-upnp-org:service:WANIPConnection:1',
  'urn:schemas-upnp-org:service:WANPPPConnection:1',
] as const;

export interface SsdpAnswer {
  /** Where the device describes itself; on the host that answered. */
  readonly location: string;
  readonly target: string;
  /** What the device says it runs; empty when it does not. */
  readonly server: string;
}

/** @param maxWaitSeconds devices spread their answers over so long */
export function encodeSearch(target: string, maxWaitSeconds = 1): Buffer {
  return Buffer.from(
    [
      'M-SEARCH * HTTP/1.1',
      `HOST: ${ssdpGroup}:${ssdpPort}`,
      'MAN: "ssdp:discover"',
      `MX: ${maxWaitSeconds}`,
      `ST: ${target}`,
      '',
      '',
    ].join('\r\n'),
  );
}

/**
 * Reads an answer to a search.
 * @param sender address the datagram came from: a LOCATION anywhere else would make us fetch what a stranger names
 * @returns null for anything else, and for answers that point elsewhere
 */
export function decodeSearchAnswer(bytes: Uint8Array, sender: string): SsdpAnswer | null {
  if (bytes.length > 4096) return null;
  const [status = '', ...lines] = Buffer.from(bytes).toString('latin1').split('\r\n');
  if (!/^HTTP\/1\.[01] 200\b/.test(status)) return null;
  const headers = new Map<string, string>();
  for (const line of lines.slice(0, 40)) {
    const colon = line.indexOf(':');
    if (colon < 1) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  const location = sameHostUrl(headers.get('location') ?? '', sender);
  const target = headers.get('st') ?? '';
  if (location === null || !target.startsWith('urn:')) return null;
  return { location, target, server: (headers.get('server') ?? '').replace(/[^\x20-\x7e]/g, '').slice(0, 200) };
}

/**
 * A plain http URL on exactly this host, given as an address; a name never is, nor is a URL with a login.
 * @param base for relative URLs
 * @returns the URL in full, or null
 */
export function sameHostUrl(text: string, host: string, base?: string): string | null {
  const url = URL.parse(text, base);
  if (url === null || url.protocol !== 'http:' || url.username !== '' || url.password !== '') return null;
  const name = url.hostname.replace(/^\[|\]$/g, '');
  return familyOf(name) !== null && name === host.replace(/%.*$/, '') ? url.href : null;
}
