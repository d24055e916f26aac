// Rules made through the older kernel interface of iptables. nft does not list them, and the kernel asks them all the same.
import type { Kernel } from './command.ts';
import type { ListedChain } from './forward-chains.ts';

/** The forward chain in what `iptables-legacy -S` prints, when it ends in a drop; else null. */
export function legacyChain(family: 'ip' | 'ip6', listing: string): ListedChain | null {
  const lines = listing.split('\n');
  const last = lines.filter((line) => line.startsWith('-A FORWARD ')).at(-1) ?? '';
  const drops = lines.includes('-P FORWARD DROP') || /^-A FORWARD -j (DROP|REJECT)\b/.test(last);
  if (!drops) return null;
  return { chain: { family, table: 'filter', name: 'FORWARD', policy: 'drop', isLegacy: true }, listing };
}

export async function droppingLegacyChains(kernel: Kernel): Promise<ListedChain[]> {
  const found = await Promise.all(
    (['ip', 'ip6'] as const).map(async (family) => {
      const listing = await kernel.iptablesRules('legacy', family);
      return listing === null ? null : legacyChain(family, listing);
    }),
  );
  return found.filter((chain) => chain !== null);
}
