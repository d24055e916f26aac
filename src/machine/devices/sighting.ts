import type { Device } from '../../model/reports.ts';

/** What one source says about an address inside; several sightings of an address make a device. */
export interface Sighting {
  readonly address: string;
  readonly name: string | null;
  readonly mac: string | null;
  readonly lease: Device['lease'];
  readonly source: string;
  /** The neighbour was heard lately. */
  readonly fresh?: boolean;
}

/**
 * A MAC address in one spelling, `aa:bb:cc:dd:ee:ff`, from that one, `aa-bb-…`, `aabb.ccdd.eeff` or bare digits after
 * a hardware type (`01:…` is not taken for one: that is seven bytes).
 * @returns null when `text` is none
 */
export function parseMac(text: string): string | null {
  const trimmed = text.trim();
  const known =
    /^[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}$/i.test(trimmed) ||
    /^[0-9a-f]{2}(?:-[0-9a-f]{2}){5}$/i.test(trimmed) ||
    /^[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}$/i.test(trimmed);
  if (!known) return null;
  const bytes = trimmed.includes('.')
    ? (trimmed.replaceAll('.', '').match(/../g) ?? [])
    : trimmed.split(/[:-]/).map((byte) => byte.padStart(2, '0'));
  return bytes.join(':').toLowerCase();
}

/** A host name as a DHCP client gave it, made fit to be shown; null when nothing is left. */
export function deviceName(text: string | undefined): string | null {
  const name = (text ?? '')
    .replace(/[\u0000-\u001f\u007f-\u009f]/g, '')
    .replace(/\.$/, '')
    .slice(0, 255);
  return name === '' || name === '*' ? null : name;
}
