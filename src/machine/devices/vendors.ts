/** Where Debian and others keep the IEEE's list of address blocks, in the forms of its several tools. */
export const vendorFiles = [
  '/usr/share/ieee-data/oui.txt',
  '/usr/share/misc/oui.txt',
  '/usr/share/wireshark/manuf',
  '/usr/share/nmap/nmap-mac-prefixes',
  '/usr/share/arp-scan/ieee-oui.txt',
];

/** The first three bytes of a MAC address, as the IEEE gives them out; null for an address the device made up. */
export function vendorPrefix(mac: string): string | null {
  const locallyAdministered = 0x2;
  const prefix = mac.slice(0, 8).replaceAll(':', '').toUpperCase();
  return (Number.parseInt(prefix.slice(0, 2), 16) & locallyAdministered) === 0 ? prefix : null;
}

/**
 * Finds vendors by prefix in a list of any of these forms: `28-6F-B9   (hex)  Nokia`, `286FB9 Nokia`, and
 * `28:6F:B9  Nokia  Nokia Shanghai Bell`. Blocks smaller than 24 bits' worth are passed over.
 */
export function parseVendors(text: string, prefixes: ReadonlySet<string>): Map<string, string> {
  const vendors = new Map<string, string>();
  const line =
    /^[ \t]*([0-9A-F]{2})[-:]?([0-9A-F]{2})[-:]?([0-9A-F]{2})(?:\/24)?[ \t]+(?:\((?:hex|base 16)\)[ \t]+)?(\S.*)$/gim;
  for (const [, a, b, c, rest = ''] of text.matchAll(line)) {
    const prefix = `${a}${b}${c}`.toUpperCase();
    // Wireshark's file has a short name, a tabulator and the long one.
    if (prefixes.has(prefix) && !vendors.has(prefix)) vendors.set(prefix, (rest.split('\t').at(-1) ?? rest).trim());
  }
  return vendors;
}
