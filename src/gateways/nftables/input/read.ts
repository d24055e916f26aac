// This machine's packet filter at the input hook, read from whoever keeps its rules.
import type { InputFirewall } from '../../../model/firewall.ts';
import type { Kernel } from '../command.ts';
import { allDetours, type Detours, iptablesDetours, nftDetours, unreadDetours } from './detours.ts';
import { inputFirewall } from './firewall.ts';
import { listedBase, listedChains } from './iptables-rules.ts';
import type { Elements } from './nft-conditions.ts';
import { askForSets, hookChains } from './nft-rules.ts';
import { type NftTable, nftTables } from './nft-tables.ts';
import { type BaseChain, distinctions } from './rules.ts';
import { machineWays } from './ways-in.ts';

const families = { ip: 4, ip6: 6 } as const;
type IptablesFamily = keyof typeof families;
const iptablesFamilies = ['ip', 'ip6'] as const;
/** Tables of iptables that decide what a packet is before it comes to the input hook. */
const before = ['raw', 'mangle', 'nat'];

const isIptables = (table: NftTable): table is NftTable & { family: IptablesFamily } =>
  table.family in families && [...table.chains.values()].flat(2).some((statement) => 'xt' in statement);

/**
 * The chains of a table at a hook, its sets read as far as the rules need them. JSON does not show the matches of iptables,
 * so its own program is asked for those it wrote.
 */
async function chainsOf(kernel: Kernel, table: NftTable, hook: string): Promise<BaseChain[]> {
  const listing = isIptables(table) ? await kernel.iptablesRules('nft', table.family, table.name) : null;
  const listed = listing === null ? undefined : listedChains(listing, table.family === 'ip' ? 4 : 6);
  const known = new Map<string, readonly unknown[] | null>();
  const wanted = new Set<string>();
  const elements: Elements = (name) => {
    const found = known.get(name);
    if (found === undefined) wanted.add(name);
    return found ?? null;
  };
  do {
    // one by one: nft 1.0.6 finds only the last of several sets asked for together
    for (const name of wanted) known.set(name, await elementsOf(kernel, table, name));
    wanted.clear();
    askForSets(table, hook, elements);
  } while (wanted.size > 0);
  return hookChains(table, hook, elements, listed);
}

async function elementsOf(
  kernel: Kernel,
  { family, name: table }: NftTable,
  name: string,
): Promise<readonly unknown[] | null> {
  for (const kind of ['set', 'map'] as const) {
    const listed = await kernel.list('list', kind, family, table, name);
    const found = listed?.find((object) => object[kind]?.name === name)?.[kind];
    if (found !== undefined) return Array.isArray(found.elem) ? found.elem : [];
  }
  return null;
}

async function legacyChains(kernel: Kernel, table: string, start: string): Promise<BaseChain[]> {
  const found = await Promise.all(
    iptablesFamilies.map(async (family) => {
      const listing = await kernel.iptablesRules('legacy', family, table);
      return listing === null ? null : listedBase(listing, families[family], start);
    }),
  );
  return found.filter((chain) => chain !== null);
}

async function detoursOf(
  kernel: Kernel,
  tables: readonly NftTable[],
  addresses: ReadonlySet<string> | null,
): Promise<Detours> {
  const found = tables.map((table) => nftDetours(table, addresses));
  const listings: { variant: 'legacy' | 'nft'; family: IptablesFamily; table: string }[] = tables
    .filter(isIptables)
    .map(({ family, name }) => ({ variant: 'nft', family, table: name }));
  for (const family of iptablesFamilies) {
    for (const table of await kernel.legacyTables(family)) listings.push({ variant: 'legacy', family, table });
  }
  for (const { variant, family, table } of listings.filter((one) => before.includes(one.table))) {
    const listing = await kernel.iptablesRules(variant, family, table);
    found.push(listing === null ? unreadDetours(table) : iptablesDetours(listing, families[family], addresses));
  }
  return allDetours(found);
}

/**
 * @param ours tables of our own: they let mapped connections in and keep nothing out that would reach a program
 * @throws SallyportError where the rules cannot be read
 */
export async function readInputFirewall(kernel: Kernel, ours: RegExp): Promise<InputFirewall> {
  const legacy = await legacyChains(kernel, 'filter', 'INPUT');
  const bases = (await kernel.list('-t', 'list', 'chains')) ?? [];
  const isAnyInput = bases.some(({ chain }) => chain?.hook === 'input' && !ours.test(String(chain.table)));
  if (!isAnyInput && legacy.length === 0) return { admits: () => null };
  const tables = nftTables((await kernel.list('-t', 'list', 'ruleset')) ?? []).filter(({ name }) => !ours.test(name));
  const atHook = async (among: readonly NftTable[], hook: string) => {
    const having = among.filter((table) => table.bases.some((base) => base.hook === hook));
    return (await Promise.all(having.map((table) => chainsOf(kernel, table, hook)))).flat();
  };
  const awake = tables.filter(({ isDormant }) => !isDormant);
  const chains = [...(await atHook(awake, 'input')), ...legacy];
  const translations = [
    ...(await atHook(tables, 'nat prerouting')),
    ...(await legacyChains(kernel, 'nat', 'PREROUTING')),
  ];
  const { interfaces, isTranslationAsked } = distinctions(chains);
  const machine = interfaces.size > 0 || isTranslationAsked ? await machineWays(kernel) : null;
  const detours = await detoursOf(kernel, tables, machine?.addresses ?? null);
  return inputFirewall({ chains, translations, ways: machine?.ways ?? null, detours });
}
