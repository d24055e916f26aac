import type { GatewayRule } from '../gateway.ts';
import { addTriggers, type PlacedTrigger } from './kernel-triggers.ts';
import { addMapping, isRouted } from './mappings.ts';
import { type Ruleset, RulesetBuilder } from './ruleset.ts';
import { addRouted, addSkeleton } from './skeleton.ts';

/** The whole content of our table for checked rules and triggers. Pure. */
export function buildRuleset(
  rules: readonly GatewayRule[],
  triggers: readonly PlacedTrigger[],
  networks: readonly string[],
): Ruleset {
  const table = new RulesetBuilder();
  addSkeleton(table);
  for (const network of networks) {
    table.element(network.includes(':') ? 'link6' : 'link4', `${network} . ${network}`);
  }
  if (rules.some(isRouted)) addRouted(table);
  for (const rule of rules) addMapping(table, rule);
  addTriggers(table, triggers);
  return table;
}
