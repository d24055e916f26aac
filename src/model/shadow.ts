import { addressReach, normalAddress, takesAt } from './cidr.ts';
import type { PortRange, Transport } from './ports.ts';

/** What of a kernel mapping decides whose connections it takes. */
interface Taking {
  readonly proto: Transport;
  /** `address` null: every address of this machine. */
  readonly external: PortRange & { readonly address: string | null };
  /** `address` empty where it is not known yet. */
  readonly internal: { readonly address: string };
}

/** A socket as bound; `0.0.0.0`, `::` and `*` are every address. */
interface Bound {
  readonly proto: Transport;
  readonly address: string;
  readonly port: number;
}

/** Every address of a family, by the family's sign. */
const everyOf = { 4: '0.0.0.0', 6: '::' } as const;
const wild: ReadonlySet<string> = new Set(['*', '0.0.0.0', '::']);
const familyOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4);

/**
 * Whether a kernel mapping takes what would else come to a listener of this machine, or some of it: translation comes
 * before delivery, so the program would go deaf without a word. At loopback nothing is translated.
 * @param others all listeners: one on `::` takes IPv4 as well, unless another has the port there for it
 */
export function shadows({ proto, external, internal }: Taking, listener: Bound, others: readonly Bound[]): boolean {
  const { address, port } = listener;
  if (proto !== listener.proto || port < external.first || external.last < port) return false;
  if (addressReach(address) === 'host') return false;
  const forIpv4 = (one: Bound) => one.proto === proto && one.port === port && one.address === '0.0.0.0';
  const bind = address === '::' && !others.some(forIpv4) ? '*' : address;
  // A mapping translates within one family: that of its outer address, else that of its host.
  const at = external.address === null || external.address === '*' ? null : normalAddress(external.address);
  const known = at ?? normalAddress(internal.address);
  const families = known === null ? ([4, 6] as const) : [familyOf(known)];
  if (at !== null && !wild.has(at)) return takesAt(bind, at);
  return families.some((family) => (wild.has(bind) ? takesAt(bind, everyOf[family]) : familyOf(bind) === family));
}
