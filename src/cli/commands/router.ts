import type { Command } from 'commander';
import { SallyportError } from '../../model/errors.ts';
import { parsePort } from '../../model/ports.ts';
import { formatSpan } from '../../present/quantity.ts';
import { safeText } from '../../present/sanitize.ts';
import { type Context, canAsk, done, withEngine } from '../context.ts';
import { confirm } from '../terminal.ts';
import { printTable } from '../views.ts';

export function registerRouter(program: Command, context: Context): void {
  const router = program
    .command('router')
    .summary('the router in front, and its mappings')
    .description('Show the router in front: protocols, external address, and every mapping on it, ours and of others.')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const report = await withEngine(context, (client) => client.call('router', {}));
      const { gateway, protocols, externalAddress, mappings } = report;
      if (json) {
        const rows = mappings.map(({ proto, external, internal, lease, description, ours }) => ({
          proto,
          external,
          internal,
          lease,
          description,
          ours,
        }));
        return context.out.json({ gateway, protocols, externalAddress, mappings: rows });
      }
      if (gateway === null) return context.out.print('no router found');
      const { out } = context;
      out.print(`gateway   ${safeText(gateway)}${report.model ? ` (${safeText(report.model)})` : ''}`);
      out.print(`speaks    ${protocols.length === 0 ? 'none of PCP, NAT-PMP, UPnP-IGD' : protocols.join(', ')}`);
      out.print(`external  ${safeText(externalAddress ?? 'unknown')}`);
      if (report.warning) out.print(`warning   ${safeText(report.warning)}`);
      if (mappings.length === 0) return out.print('no mappings');
      out.print('');
      printTable(
        context,
        [
          { title: 'PROTO' },
          { title: 'EXTERNAL', align: 'right' },
          { title: 'INTERNAL', min: 12 },
          { title: 'LEASE', drop: 1 },
          { title: 'OWNER' },
          { title: 'DESCRIPTION', min: 10, drop: 2 },
        ],
        mappings.map(({ proto, external, internal, lease, description, ours }) => [
          proto,
          String(external),
          internal,
          lease === null ? 'unknown' : lease === 0 ? 'permanent' : formatSpan(lease * 1000),
          ours ? 'ours' : 'others',
          description,
        ]),
      );
    });
  router
    .command('rm')
    .description("delete a mapping on the router, another program's too, after a question")
    .argument('<proto/port>', 'external side, as tcp/8080')
    .option('-y, --yes', 'do not ask')
    .action(async (text: string, { yes }: { yes?: boolean }) => {
      const [, proto, port] = /^(tcp|udp)\/(\d+)$/i.exec(text) ?? [];
      if (proto === undefined || port === undefined) {
        throw new SallyportError('usage', `router rm: "${text}" is not PROTO/PORT`, 'sallyport router rm tcp/8080');
      }
      const external = parsePort(port);
      const transport = proto.toLowerCase() as 'tcp' | 'udp';
      await withEngine(context, async (client) => {
        if (!yes) await agree(context, `Delete ${transport}/${external} on the router?`);
        await client.call('routerDelete', { proto: transport, external });
      });
      done(context, `deleted ${transport}/${external} on the router`, { proto: transport, external });
    });
}

async function agree(context: Context, question: string): Promise<void> {
  if (!canAsk(context))
    throw new SallyportError('usage', 'router rm: no terminal to ask on', 'add --yes to delete without a question');
  if (!(await confirm(context, question)))
    throw new SallyportError('usage', 'router rm: not deleted', 'answer y to delete');
}
