import { type Failure, SallyportError, toFailure } from '../../model/errors.ts';
import { formatPortRange, portsOverlap } from '../../model/ports.ts';
import type { GatewayRule } from '../gateway.ts';
import { helperType, isRouted } from './mappings.ts';
import { checkedAddress, familyOf, networksOf } from './values.ts';

export interface CheckedRules {
  readonly accepted: readonly GatewayRule[];
  /** By owner; one bad rule takes all rules of its owner out, so that nothing is half open. */
  readonly refused: ReadonlyMap<string, Failure>;
}

/** Checks rules by themselves and against each other, in order: who comes first keeps the port. Pure. */
export function checkRules(rules: readonly GatewayRule[]): CheckedRules {
  const refused = new Map<string, Failure>();
  const good: GatewayRule[] = [];
  for (const rule of rules) {
    if (refused.has(rule.owner)) continue;
    try {
      const checked = checkRule(rule);
      const holder = findHolder(good, checked);
      if (holder !== undefined) throw collision(checked, holder);
      good.push(checked);
    } catch (error) {
      refused.set(rule.owner, toFailure(error));
    }
  }
  return { accepted: good.filter(({ owner }) => !refused.has(owner)), refused };
}

function checkRule(rule: GatewayRule): GatewayRule {
  const internal = checkedAddress(rule.internal.address);
  const family = familyOf(internal);
  const external = rule.external.address === null ? null : checkedAddress(rule.external.address);
  const { first, last } = rule.external;
  if (!(first >= 1 && last <= 65_535 && first <= last && Number.isInteger(first) && Number.isInteger(last))) {
    throw new SallyportError('bad_value', `ports ${first}-${last} are no range`, 'ports go from 1 to 65535');
  }
  const end = rule.internal.first + last - first;
  if (!(rule.internal.first >= 1 && end <= 65_535 && Number.isInteger(rule.internal.first))) {
    throw new SallyportError(
      'bad_value',
      `internal ports ${rule.internal.first}-${end} are no range`,
      'ports go from 1 to 65535',
    );
  }
  if (internal === '0.0.0.0' || internal === '::' || internal.startsWith('127.') || internal === '::1') {
    throw new SallyportError(
      'unsupported',
      `the kernel cannot map to ${internal}`,
      "name another address of this machine, or use '--via relay'",
    );
  }
  if (/^fe[89ab]/.test(internal)) {
    throw new SallyportError(
      'unsupported',
      `the kernel cannot map to ${internal}: a link-local address is one on each link`,
      "name the device's other address, or its MAC address",
    );
  }
  if (external !== null && familyOf(external) !== family) {
    throw new SallyportError(
      'bad_value',
      `${external} and ${internal} are of different address families`,
      "'--via relay' can carry from one to the other",
    );
  }
  if (external === '0.0.0.0' || external === '::')
    return checkRule({ ...rule, external: { ...rule.external, address: null } });
  if (
    rule.helper !== null &&
    helperType(rule.helper, rule.proto) === null &&
    !['tcp', 'udp'].some((proto) => helperType(rule.helper ?? '', proto as 'tcp') !== null)
  ) {
    throw new SallyportError(
      'unsupported',
      `the kernel has no helper "${rule.helper}"`,
      'ftp, sip, h323, tftp, pptp or irc',
    );
  }
  const checked: GatewayRule = {
    ...rule,
    external: { address: external, first, last },
    internal: { address: internal, first: rule.internal.first },
  };
  if (external !== null && external === internal && !isRouted(checked)) {
    throw new SallyportError(
      'unsupported',
      `${internal} would be mapped to itself on another port`,
      'leave the ports the same, or name another target',
    );
  }
  networksOf([...rule.allow, ...rule.deny], family); // throws on what is no network
  return checked;
}

function findHolder(good: readonly GatewayRule[], rule: GatewayRule): GatewayRule | undefined {
  return good.find(
    (other) =>
      other.proto === rule.proto &&
      familyOf(other.internal.address) === familyOf(rule.internal.address) &&
      (other.external.address === null ||
        rule.external.address === null ||
        other.external.address === rule.external.address) &&
      portsOverlap(other.external, rule.external),
  );
}

function collision(rule: GatewayRule, holder: GatewayRule): SallyportError {
  return new SallyportError(
    'conflict',
    `${rule.proto} ${formatPortRange(rule.external)} overlaps ${holder.owner} (${holder.proto} ${formatPortRange(holder.external)})`,
    `use another port, or take ${holder.owner} down`,
  );
}
