// What an Internet Gateway Device says about itself (UPnP Device Architecture 1.1 section 2.3). Text only.
import { sameHostUrl } from '../ssdp.ts';
import { childText, findAll, parseXml, type XmlElement } from '../xml.ts';

export interface IgdService {
  /** Full service type, the namespace of its actions. */
  readonly type: string;
  readonly control: string;
}

export interface IgdDescription {
  readonly version: 1 | 2;
  /** Model and maker, as shown to people; empty when it does not say. */
  readonly model: string;
  /** Services that map IPv4 ports, best first: WANIPConnection 2, 1, WANPPPConnection. */
  readonly wan: readonly IgdService[];
  /** IPv6 firewall control (WANIPv6FirewallControl:1); null when there is none. */
  readonly pinholes: IgdService | null;
}

const wanOrder = [/:WANIPConnection:2$/, /:WANIPConnection:1$/, /:WANPPPConnection:1$/];
const maxServices = 64;

/**
 * Reads a device description.
 * @param location where it came from; control URLs on any other host are left out
 * @returns null when it is not one, or offers nothing of use
 */
export function parseDescription(xml: string, location: string): IgdDescription | null {
  const root = parseXml(xml);
  const host = URL.parse(location)?.hostname.replace(/^\[|\]$/g, '');
  if (root === null || host === undefined) return null;
  const base = sameHostUrl(childText(root, 'URLBase') || location, host) ?? location;
  const services = findAll(root, 'service')
    .slice(0, maxServices)
    .map((element): IgdService | null => {
      const type = childText(element, 'serviceType') ?? '';
      const control = sameHostUrl(childText(element, 'controlURL') ?? '', host, base);
      return /^urn:[\w.:-]{1,120}$/.test(type) && control !== null ? { type, control } : null;
    })
    .filter((service) => service !== null);
  const wan = wanOrder.flatMap((pattern) => services.filter((service) => pattern.test(service.type)));
  const pinholes = services.find((service) => service.type.endsWith(':WANIPv6FirewallControl:1')) ?? null;
  const [device] = findAll(root, 'device');
  if (device === undefined || (wan.length === 0 && pinholes === null)) return null;
  const second = (childText(device, 'deviceType') ?? '').endsWith(':2') || wan[0]?.type.endsWith(':2');
  return { version: second ? 2 : 1, model: modelOf(device), wan, pinholes };
}

function modelOf(device: XmlElement): string {
  const parts = ['manufacturer', 'modelName', 'modelNumber'].map((name) => plain(childText(device, name) ?? ''));
  const kept = parts.filter((part, i) => part !== '' && parts.indexOf(part) === i);
  return kept.join(' ') || plain(childText(device, 'friendlyName') ?? '');
}

/** Text from outside, fit for one line of a terminal. */
export function plain(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, 80);
}
