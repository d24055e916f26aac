import type { Device, RouterMapping, RouterReport } from '../model/reports.ts';
import type { Column } from './columns.ts';
import { seg } from './line.ts';
import { formatSpan } from './quantity.ts';

export const routerColumns: readonly Column<RouterMapping>[] = [
  { id: 'proto', head: 'PROTO', min: 5, max: 5, keep: 70, cell: ({ proto }) => seg(proto, 'dim') },
  {
    id: 'external',
    head: 'EXTERNAL',
    align: 'right',
    min: 8,
    max: 8,
    keep: 100,
    cell: ({ external }) => seg(String(external), 'plain', true),
  },
  { id: 'internal', head: 'INTERNAL', min: 14, max: 28, keep: 90, cell: ({ internal }) => internal },
  {
    id: 'lease',
    head: 'LEASE',
    align: 'right',
    min: 9,
    max: 9,
    keep: 50,
    cell: ({ lease }) => seg(lease === null ? '' : lease === 0 ? 'permanent' : formatSpan(lease * 1000), 'dim'),
  },
  {
    id: 'ours',
    head: 'OURS',
    min: 4,
    max: 4,
    keep: 60,
    cell: ({ ours }) => seg(ours ? 'yes' : 'no', ours ? 'good' : 'dim'),
  },
  {
    id: 'description',
    head: 'DESCRIPTION',
    min: 11,
    max: 60,
    keep: 40,
    cell: ({ description }) => seg(description, 'dim'),
  },
];

export const deviceColumns: readonly Column<Device>[] = [
  { id: 'address', head: 'ADDRESS', min: 13, max: 39, keep: 100, cell: ({ address }) => seg(address, 'plain', true) },
  { id: 'name', head: 'NAME', min: 10, max: 28, keep: 90, cell: ({ name }) => name ?? '' },
  { id: 'mac', head: 'MAC', min: 17, max: 17, keep: 50, cell: ({ mac }) => seg(mac ?? '', 'dim') },
  {
    id: 'lease',
    head: 'LEASE',
    min: 8,
    max: 8,
    keep: 70,
    cell: ({ lease }) =>
      seg(lease, lease === 'static' || lease === 'reserved' ? 'good' : lease === 'dynamic' ? 'busy' : 'dim'),
  },
  { id: 'source', head: 'SEEN IN', min: 9, max: 12, keep: 40, cell: ({ source }) => seg(source, 'dim') },
  { id: 'vendor', head: 'MAKER', min: 8, max: 24, keep: 30, cell: ({ vendor }) => seg(vendor ?? '', 'dim') },
];

/** What stands in front of this machine, in one line. */
export function routerSummary(report: RouterReport): string {
  if (report.gateway === null) return 'no router found';
  const name = report.model ? `${report.model} at ${report.gateway}` : report.gateway;
  const speaks =
    report.protocols.length === 0 ? 'speaks no port-mapping protocol' : `speaks ${report.protocols.join(', ')}`;
  const outside = report.externalAddress === null ? 'external address unknown' : `is ${report.externalAddress} outside`;
  return `${name} ${speaks}, ${outside}`;
}
