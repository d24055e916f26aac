import type { Failure } from '../model/errors.ts';
import { formatPortRange } from '../model/ports.ts';
import type { AuditReport, AuditRow } from '../model/reports.ts';
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

/** Whom the packet filter lets in, and from whom it keeps a port. */
const filtered: Readonly<Record<AuditRow['reach'], { lets: string; keeps: string }>> = {
  host: { lets: 'nobody in from outside', keeps: 'everybody outside' },
  lan: { lets: 'only local networks in', keeps: 'all but local networks' },
  world: { lets: 'only some networks in', keeps: 'all but some networks' },
};

/** Whether what the packet filter would say of a port makes a difference. */
const isOpen = ({ layer, reach }: AuditRow) => reach !== 'host' && ['address', 'list', 'sshd'].includes(layer);

function unreadText({ code, message }: Failure): string {
  const why = code === 'gateway_denied' ? 'it takes CAP_NET_ADMIN' : message;
  return `the firewall of this machine could not be read (${why}): what it keeps out counts as open`;
}

/** What the packet filter of the machine makes of a port, or that it could not be asked; null where it has no part in it. */
export function firewallClause(row: AuditRow, { unreadFirewall }: Pick<AuditReport, 'unreadFirewall'>): string | null {
  if (row.layer === 'firewall') return `the firewall of this machine lets ${filtered[row.reach].lets}`;
  return unreadFirewall !== null && isOpen(row) ? unreadText(unreadFirewall) : null;
}

/** The same of all ports together. */
export function firewallSummary({ rows, unreadFirewall }: AuditReport): string | null {
  if (unreadFirewall !== null) return rows.some(isOpen) ? unreadText(unreadFirewall) : null;
  const decided = rows.filter(({ layer }) => layer === 'firewall');
  const parts = (['host', 'lan', 'world'] as const).flatMap((reach) => {
    const many = decided.filter((row) => row.reach === reach).length;
    return many === 0 ? [] : [`${many} from ${filtered[reach].keeps}`];
  });
  return parts.length === 0 ? null : `the firewall keeps ${parts.join(', ')}`;
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
