import type { ForwardKind } from '../model/config.ts';

/** The three panels of the overview. */
export const groups = ['tunnels', 'mappings', 'triggers'] as const;
export type Group = (typeof groups)[number];

export const groupTitles: Readonly<Record<Group, string>> = {
  tunnels: 'tunnels',
  mappings: 'NAT mappings',
  triggers: 'triggers',
};

export function groupOf(kind: ForwardKind): Group {
  return kind === 'mapping' ? 'mappings' : kind === 'trigger' ? 'triggers' : 'tunnels';
}

export const kindNames: Readonly<Record<ForwardKind, string>> = {
  local: 'local tunnel',
  remote: 'remote tunnel',
  dynamic: 'dynamic tunnel (SOCKS)',
  mapping: 'NAT mapping',
  trigger: 'port trigger',
};
