import { addressReach, normalAddress } from '../../model/cidr.ts';
import { deviceName, type Sighting } from './sighting.ts';

/** Parses hosts(5): inside addresses somebody has given a name, which are meant to stay. */
export function parseHosts(text: string): Sighting[] {
  return text.split('\n').flatMap((line) => {
    const [ip = '', name] = line.replace(/#.*/, '').trim().split(/\s+/);
    const address = normalAddress(ip);
    if (address === null || addressReach(address) !== 'lan' || name === undefined) return [];
    return [{ address, name: deviceName(name), mac: null, lease: 'static', source: 'hosts' } as const];
  });
}
