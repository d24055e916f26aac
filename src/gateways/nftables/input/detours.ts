// Ways a packet can take to a port of this machine other than straight: what these rules do before the input hook.
import type { IpFamily } from '../../../model/address-set.ts';
import { normalAddress } from '../../../model/cidr.ts';
import { listedRules } from './iptables-rules.ts';
import type { NftTable } from './nft-tables.ts';

export interface Detours {
  /** Ports of this machine that connections to another one may be translated to. */
  readonly ports: ReadonlySet<number>;
  /** Whether there may be more such ports than these. */
  readonly anyPort: boolean;
  /** Whether connection tracking may be told to leave packets alone. */
  readonly untracked: boolean;
  /** Whether packets may come to a socket at another port than they were sent to (TPROXY, rewritten headers). */
  readonly steered: boolean;
}

const none: Detours = { ports: new Set(), anyPort: false, untracked: false, steered: false };

export const allDetours = (list: readonly Detours[]): Detours => ({
  ports: new Set(list.flatMap(({ ports }) => [...ports])),
  anyPort: list.some(({ anyPort }) => anyPort),
  untracked: list.some(({ untracked }) => untracked),
  steered: list.some(({ steered }) => steered),
});

/** What cannot be read in this table of iptables might do. */
export function unreadDetours(table: string): Detours {
  return { ...none, anyPort: table === 'nat', untracked: table === 'raw', steered: table === 'mangle' };
}

/** Addresses of this machine; null where they are not known. */
type OwnAddresses = ReadonlySet<string> | null;

/** Whether this address, when it is one, is another machine's for sure. */
function isElsewhere(address: unknown, own: OwnAddresses): boolean {
  const normal = typeof address === 'string' ? normalAddress(address) : null;
  if (normal === null || own === null || own.has(normal)) return false;
  return !normal.startsWith('127.') && normal !== '::1';
}

const toPort = (port: unknown): Detours =>
  typeof port === 'number' ? { ...none, ports: new Set([port]) } : { ...none, anyPort: true };

const rewritten = ['dport', 'daddr', 'saddr'];

export function nftDetours(table: NftTable, own: OwnAddresses): Detours {
  const found: Detours[] = [];
  for (const statement of [...table.chains.values()].flat(2)) {
    const [key = ''] = Object.keys(statement);
    const body = (statement[key] ?? {}) as { addr?: unknown; port?: unknown; key?: { payload?: { field?: string } } };
    if (key === 'notrack') found.push({ ...none, untracked: true });
    if (key === 'tproxy') found.push({ ...none, steered: true });
    if (key === 'mangle' && body.key?.payload !== undefined) {
      const { field } = body.key.payload;
      if (field === undefined || rewritten.includes(field)) found.push({ ...none, steered: true });
    }
    if (key === 'redirect' || (key === 'dnat' && !isElsewhere(body.addr, own))) found.push(toPort(body.port));
  }
  return allDetours(found);
}

/** Detours in what `iptables -S` prints of one of its tables. */
export function iptablesDetours(listing: string, family: IpFamily, own: OwnAddresses): Detours {
  return allDetours(
    listedRules(listing, family).map(({ target, options }) => {
      const value = (option: string) => (options.includes(option) ? (options[options.indexOf(option) + 1] ?? '') : '');
      switch (target) {
        case 'TPROXY':
          return { ...none, steered: true };
        case 'NOTRACK':
          return { ...none, untracked: true };
        case 'CT':
          return { ...none, untracked: options.includes('--notrack') };
        case 'REDIRECT':
          return toPort(/^\d+$/.test(value('--to-ports')) ? Number(value('--to-ports')) : null);
        case 'DNAT': {
          const to = value('--to-destination');
          const [, address = to, port] = normalAddress(to) === null ? (/^\[?(.*?)\]?:(\d+)$/.exec(to) ?? []) : [];
          if (isElsewhere(address, own)) return none;
          return toPort(port === undefined ? null : Number(port));
        }
        default:
          return none;
      }
    }),
  );
}
