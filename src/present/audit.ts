import { formatPortRange } from '../model/ports.ts';
import type { AuditRow } from '../model/reports.ts';
import type { Column } from './columns.ts';
import { seg } from './line.ts';
import type { ColourRole } from './states.ts';

const reachLooks: Readonly<Record<AuditRow['reach'], { role: ColourRole; words: string }>> = {
  host: { role: 'good', words: 'this host' },
  lan: { role: 'busy', words: 'local net' },
  world: { role: 'bad', words: 'the world' },
};

const findingRoles: Readonly<Record<'low' | 'medium' | 'high', ColourRole>> = {
  low: 'dim',
  medium: 'busy',
  high: 'bad',
};

const levels = { high: 0, medium: 1, low: 2 } as const;

/** What was found first, the worst of it on top; the rest in the engine's order. */
export function sortAudit(rows: readonly AuditRow[]): readonly AuditRow[] {
  const weight = ({ finding }: AuditRow) => (finding === null ? 3 : levels[finding.level]);
  return [...rows].sort((a, b) => weight(a) - weight(b));
}

/** What a filter looks through. */
export const auditText = ({ proto, address, port, owner, reach, layer, finding }: AuditRow) =>
  `${proto} ${address}:${port} ${owner} ${reachLooks[reach].words} ${layer} ${finding?.level ?? ''} ${finding?.message ?? ''}`;

export const auditColumns: readonly Column<AuditRow>[] = [
  { id: 'proto', head: 'PROTO', min: 5, max: 5, keep: 40, cell: ({ proto }) => seg(proto, 'dim') },
  { id: 'address', head: 'ADDRESS', min: 12, max: 28, keep: 90, cell: ({ address }) => address },
  {
    id: 'port',
    head: 'PORT',
    align: 'right',
    min: 5,
    max: 11,
    keep: 100,
    cell: ({ port, last }) => seg(formatPortRange({ first: port, last: last ?? port }), 'plain', true),
  },
  {
    id: 'reach',
    head: 'REACHED BY',
    min: 10,
    max: 10,
    keep: 95,
    cell: ({ reach }) => seg(reachLooks[reach].words, reachLooks[reach].role),
  },
  { id: 'owner', head: 'OWNER', min: 10, max: 26, keep: 70, cell: ({ owner }) => owner },
  { id: 'layer', head: 'DECIDED BY', min: 10, max: 10, keep: 30, cell: ({ layer }) => seg(layer, 'dim') },
  {
    id: 'level',
    head: 'RISK',
    min: 6,
    max: 6,
    keep: 85,
    cell: ({ finding }) => (finding === null ? seg('') : seg(finding.level, findingRoles[finding.level])),
  },
  {
    id: 'finding',
    head: 'FINDING',
    min: 14,
    max: 200,
    keep: 80,
    cell: ({ finding }) => (finding === null ? seg('') : seg(finding.message, findingRoles[finding.level])),
  },
];
