// Rules as `iptables -S` prints them, of either of its kernel interfaces.
import { addressNumber, type IpFamily, network } from '../../../model/address-set.ts';
import { allOf, always, type BaseChain, type Condition, type Rule, unknown, type Verdict } from './rules.ts';

/** One `-A` line: its chain, what it matches, and its target with the words after it. */
export interface ListedRule {
  readonly chain: string;
  readonly when: Condition;
  readonly target: string | null;
  readonly isGoto: boolean;
  readonly options: readonly string[];
}

/** Matches that say all they have to say in options read here. */
const readMatches = new Set(['tcp', 'udp', 'multiport', 'conntrack', 'state', 'comment']);

const words = (line: string): string[] => line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];

function ports(text: string): Condition {
  const of = text.split(',').map((part): Condition => {
    const [, first, last = first] = /^(\d+)(?::(\d+))?$/.exec(part) ?? [];
    return first === undefined ? unknown : { is: 'port', first: Number(first), last: Number(last) };
  });
  return { is: 'any', of };
}

function addressCondition(is: 'source' | 'destination', text: string, family: IpFamily): Condition {
  const [address = '', length = family === 4 ? '32' : '128'] = text.split('/');
  const set = /^\d+$/.test(length) && addressNumber(address) !== null ? network(address, Number(length)) : null;
  return set === null ? unknown : { is, family, set };
}

const states = (text: string): Condition => ({
  is: 'any',
  of: text
    .split(',')
    .map((state) =>
      state === 'DNAT'
        ? { is: 'translated' }
        : state === 'SNAT'
          ? unknown
          : { is: 'state', state: state.toLowerCase() },
    ),
});

function protocol(text: string): Condition {
  if (text === 'all') return always;
  return { is: 'transport', name: ({ 6: 'tcp', 17: 'udp' } as Record<string, string>)[text] ?? text };
}

/** What an option with one value asks of a packet; null for one that is not read here. */
function optionCondition(option: string, value: string, family: IpFamily): Condition | null {
  switch (option) {
    case '-s':
      return addressCondition('source', value, family);
    case '-d':
      return addressCondition('destination', value, family);
    case '-i':
      return { is: 'interface', name: value.replace(/\+$/, '*') };
    case '-p':
      return protocol(value);
    case '--dport':
    case '--dports':
      return ports(value);
    case '--ctstate':
    case '--state':
      return states(value);
    case '--comment':
      return always;
    case '-m':
      return readMatches.has(value) ? always : unknown;
    default:
      return null;
  }
}

function listedRule(line: string, family: IpFamily): ListedRule | null {
  const [add, chain = '', ...rest] = words(line);
  if (add !== '-A') return null;
  const of: Condition[] = [];
  for (let i = 0; i < rest.length; i++) {
    const negated = rest[i] === '!';
    if (negated) i++;
    const option = rest[i] ?? '';
    const value = rest[i + 1] ?? '';
    if (option === '-j' || option === '-g') {
      return { chain, when: allOf(of), target: value, isGoto: option === '-g', options: rest.slice(i + 2) };
    }
    const condition = optionCondition(option, value, family);
    if (condition !== null) i++;
    // Whatever else stands there may be a match the program itself does not know well enough to print.
    const holds = condition ?? unknown;
    of.push(negated ? { is: 'not', of: holds } : holds);
  }
  return { chain, when: allOf(of), target: null, isGoto: false, options: [] };
}

export function listedRules(listing: string, family: IpFamily): ListedRule[] {
  return listing
    .split('\n')
    .map((line) => listedRule(line, family))
    .filter((rule) => rule !== null);
}

/** Targets after which a packet goes on to the next rule. */
const passing = new Set('LOG NFLOG ULOG MARK CONNMARK SET TRACE AUDIT SECMARK CONNSECMARK TCPMSS RATEEST'.split(' '));

function verdictOf({ target, isGoto }: ListedRule, own: ReadonlySet<string>): Verdict | null {
  if (target === null || passing.has(target)) return null;
  if (target === 'ACCEPT') return { is: 'accept' };
  if (target === 'DROP' || target === 'REJECT') return { is: 'drop' };
  if (target === 'RETURN') return { is: 'return' };
  return own.has(target) ? { is: isGoto ? 'goto' : 'jump', chain: target } : { is: 'unknown' };
}

/** A line of a chain; without a verdict it lets packets go on to the next. */
export interface ListedStep {
  readonly when: Condition;
  readonly verdict: Verdict | null;
}

/** Each line of each chain. */
export function listedChains(listing: string, family: IpFamily): ReadonlyMap<string, readonly ListedStep[]> {
  const names = [...listing.matchAll(/^-[NP] (\S+)/gm)].map(([, name = '']) => name);
  const own = new Set(names);
  const rules = Map.groupBy(listedRules(listing, family), ({ chain }) => chain);
  return new Map(
    names.map((name) => [
      name,
      (rules.get(name) ?? []).map((rule) => ({ when: rule.when, verdict: verdictOf(rule, own) })),
    ]),
  );
}

/**
 * A base chain of what `iptables -S` or `ip6tables -S` prints of a table; null where it has none.
 * @param start `INPUT`, `PREROUTING`
 */
export function listedBase(listing: string, family: IpFamily, start: string): BaseChain | null {
  const [, policy] = new RegExp(`^-P ${start} (ACCEPT|DROP)$`, 'm').exec(listing) ?? [];
  if (policy === undefined) return null;
  const chains = new Map<string, Rule[]>();
  for (const [name, steps] of listedChains(listing, family)) {
    const decisive = steps.flatMap(({ when, verdict }) => (verdict === null ? [] : [{ when, verdict }]));
    chains.set(name, decisive);
  }
  return { families: [family], policy: policy === 'DROP' ? 'drop' : 'accept', start, chains };
}
