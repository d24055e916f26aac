// Another firewall's forward chain has its own say after ours: an accept there ends only that chain, a drop ends the packet.
import type { Failure } from '../../model/errors.ts';
import type { Kernel, NftObject } from './command.ts';

interface ForwardChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly policy: string;
  /** Made through the older kernel interface of iptables. */
  readonly isLegacy?: boolean;
}

/** Base chains at the forward hook in tables that are not ours, from `nft -j list chains`. */
export function foreignForwardChains(objects: readonly NftObject[], ours: RegExp): ForwardChain[] {
  return objects
    .map(({ chain }) => chain)
    .filter((chain) => chain?.hook === 'forward' && !ours.test(String(chain.table)))
    .map((chain) => ({
      family: String(chain?.family),
      table: String(chain?.table),
      name: String(chain?.name),
      policy: String(chain?.policy ?? 'accept'),
    }));
}

/** Whether the chain ends in a drop: by its policy, or by a last rule that takes everything left. */
export function dropsTheRest(chain: ForwardChain, listing: string): boolean {
  if (chain.policy === 'drop') return true;
  const last = chainLines(chain.name, listing).at(-1) ?? '';
  const bare = last.replace(/\bcounter( packets \d+ bytes \d+)?/, '').replace(/\bcomment ".*"/, '');
  return /^\s*(drop|reject\b.*)$/.test(bare);
}

/** Whether some rule of the table lets translated connections, or this very target, through. Text: JSON hides xtables matches. */
export function letsThrough(listing: string, targets: readonly string[]): boolean {
  const accepting = listing.split('\n').filter((line) => /\baccept\b|\bACCEPT\b/.test(line));
  if (accepting.some((line) => /ct status (&\s*)?\(?dnat|ctstate DNAT/.test(line))) return true;
  return (
    targets.length > 0 &&
    targets.every((target) =>
      accepting.some((line) => new RegExp(`(daddr|-d) ${target.replaceAll('.', '\\.')}\\b`).test(line)),
    )
  );
}

function chainLines(name: string, listing: string): string[] {
  const lines = listing.split('\n');
  const start = lines.findIndex((line) => line.trim() === `chain ${name} {`);
  if (start < 0) return [];
  const end = lines.findIndex((line, i) => i > start && line.trim() === '}');
  return lines.slice(start + 1, end).filter((line) => line.trim() !== '' && !/^\s*(type|policy) /.test(line));
}

/** The line that lets mapped connections pass, in the words of whoever owns the chain. */
export function passLine(
  { family, table, name, isLegacy }: ForwardChain,
  listing: string,
  targets: readonly string[],
): string {
  const iptables = `${family === 'ip6' ? 'ip6tables' : 'iptables'}${isLegacy ? '-legacy' : ''}`;
  if (/(chain|-N) DOCKER-USER\b/.test(listing))
    return `${iptables} -I DOCKER-USER -m conntrack --ctstate DNAT -j ACCEPT`;
  if (/(chain|-N) ufw6?-/.test(listing)) return `ufw route allow to ${targets.length === 1 ? targets[0] : 'any'}`;
  if (name === 'FORWARD') return `${iptables} -I FORWARD -m conntrack --ctstate DNAT,ESTABLISHED -j ACCEPT`;
  return `nft insert rule ${family} ${table} ${name} ct status dnat accept`;
}

/** A chain that may be in the way, with the text of its table. */
export interface ListedChain {
  readonly chain: ForwardChain;
  readonly listing: string;
}

/** Forward chains of others that end in a drop. */
export async function droppingChains(kernel: Kernel, ours: RegExp): Promise<ListedChain[]> {
  const chains = foreignForwardChains((await kernel.list('-t', 'list', 'chains')) ?? [], ours);
  if (chains.length === 0) return [];
  // nft 1.0.6 would read all elements of a table listed by itself, a block list's say, also when told to leave them out
  const ruleset = (await kernel.listText('-t', 'list', 'ruleset')) ?? '';
  return chains
    .map((chain) => ({ chain, listing: tableOf(chain, ruleset) }))
    .filter(({ chain, listing }) => dropsTheRest(chain, listing));
}

/** The text of a chain's table, cut out of that of the whole ruleset. */
function tableOf({ family, table }: ForwardChain, ruleset: string): string {
  const start = `\n${ruleset}`.indexOf(`\ntable ${family} ${table} {\n`);
  return start < 0 ? '' : ruleset.slice(start, ruleset.indexOf('\n}\n', start));
}

const sees = ({ family }: ForwardChain, target: string) =>
  family === 'inet' || family === (target.includes(':') ? 'ip6' : 'ip');

/**
 * The first chain that would drop connections to these targets.
 * @returns what to tell, with the line that would let them pass; null where nothing is in the way
 */
export function forwardObstacle(chains: readonly ListedChain[], targets: readonly string[]): Failure | null {
  for (const { chain, listing } of chains) {
    const wanted = [...new Set(targets)].filter((target) => sees(chain, target));
    if (wanted.length === 0 || letsThrough(listing, wanted)) continue;
    return {
      code: 'gateway_failed',
      message: `chain ${chain.name} of table ${chain.family} ${chain.table}${chain.isLegacy ? ' (iptables-legacy)' : ''} drops forwarded connections`,
      hint: passLine(chain, listing, wanted),
    };
  }
  return null;
}
