// Commands that show what the engine found out about this machine and its surroundings.
import { type Command, Option } from 'commander';
import { formatPortRange } from '../../model/ports.ts';
import { type FindingLevel, findingLevels } from '../../model/reports.ts';
import { firewallSummary } from '../../present/audit.ts';
import { wrapText } from '../../present/line.ts';
import { formatBytes } from '../../present/quantity.ts';
import { safeText } from '../../present/sanitize.ts';
import { type Context, tableWidth, withEngine } from '../context.ts';
import { exitCodes } from '../exit.ts';
import { printTable } from '../views.ts';

interface JsonFlag {
  json?: boolean;
}

export function registerReports(program: Command, context: Context): void {
  program
    .command('audit')
    .summary('who can reach each open port')
    .description(
      'List every port that is open on this machine or on the router, who can reach it, and what is wrong with that.\nExits 5 when there is a finding.',
    )
    .addOption(
      new Option('--level <level>', 'the least finding that counts').choices([...findingLevels]).default('medium'),
    )
    .option('--json', 'print JSON')
    .action((flags: JsonFlag & { level: FindingLevel }) => audit(context, flags));
  program
    .command('scan')
    .summary('forwards that sallyport does not manage')
    .description(
      'List the forwards ssh and sshd hold on this machine without sallyport, and the command that takes each over.',
    )
    .option('--json', 'print JSON')
    .action((flags: JsonFlag) => scan(context, flags));
  program
    .command('devices')
    .summary('machines seen on the inside')
    .description(
      'List the machines seen on the inside (neighbours, DHCP leases), and whether their addresses may change.',
    )
    .option('--json', 'print JSON')
    .action((flags: JsonFlag) => devices(context, flags));
}

async function audit(context: Context, { json, level }: JsonFlag & { level: FindingLevel }): Promise<void> {
  const report = await withEngine(context, (client) => client.call('audit', {}));
  const { rows } = report;
  const counts = rows.some(
    ({ finding }) => finding !== null && findingLevels.indexOf(finding.level) >= findingLevels.indexOf(level),
  );
  if (counts) context.exitCode = exitCodes.finding;
  if (json) {
    context.out.json(
      rows.map(({ proto, address, port, last, owner, reach, layer, finding }) => ({
        proto,
        address,
        port,
        ...(last !== undefined && { last }),
        owner,
        reach,
        layer,
        finding: finding && { level: finding.level, code: finding.code, message: finding.message },
      })),
    );
    return;
  }
  if (rows.length === 0) return context.out.print('no open ports');
  printTable(
    context,
    [
      { title: 'PROTO' },
      { title: 'ADDRESS', min: 9 },
      { title: 'PORT', align: 'right' },
      { title: 'OWNER', min: 10 },
      { title: 'REACH' },
      { title: 'LAYER', drop: 1 },
      { title: 'FINDING', min: 20, optional: true },
    ],
    rows.map(({ proto, address, port, last, owner, reach, layer, finding }) => [
      proto,
      address,
      formatPortRange({ first: port, last: last ?? port }),
      owner,
      reach,
      layer,
      finding === null ? '' : `${finding.level}: ${finding.message}`,
    ]),
  );
  const note = firewallSummary(report);
  if (note === null) return;
  context.out.print('');
  for (const line of wrapText(note, tableWidth(context) ?? Number.POSITIVE_INFINITY)) context.out.print(line);
}

async function scan(context: Context, { json }: JsonFlag): Promise<void> {
  const rows = await withEngine(context, (client) => client.call('scan', {}));
  if (json) {
    context.out.json(
      rows.map((row) => {
        const { owner, kind, listen, target, user, pid, rx, tx } = row;
        return { owner, kind, listen, target, user, pid, rx, tx, import: row.import };
      }),
    );
    return;
  }
  if (rows.length === 0) return context.out.print('no forwards outside sallyport');
  printTable(
    context,
    [
      { title: 'OWNER' },
      { title: 'KIND' },
      { title: 'LISTEN', min: 14 },
      { title: 'TARGET', min: 10, drop: 1 },
      { title: 'USER', drop: 3 },
      { title: 'PID', align: 'right' },
      { title: '▼', align: 'right', drop: 2 },
      { title: '▲', align: 'right', drop: 2 },
    ],
    rows.map(({ owner, kind, listen, target, user, pid, rx, tx }) => [
      owner,
      kind,
      listen,
      target ?? '',
      user ?? '',
      String(pid),
      rx === null ? '' : formatBytes(rx),
      tx === null ? '' : formatBytes(tx),
    ]),
  );
  const commands = [...new Set(rows.map((row) => row.import).filter((command) => command !== null))];
  if (commands.length > 0) context.out.print('\nto take them over:');
  for (const command of commands) context.out.print(`  ${safeText(command)}`);
}

async function devices(context: Context, { json }: JsonFlag): Promise<void> {
  const rows = await withEngine(context, (client) => client.call('devices', {}));
  if (json) {
    return context.out.json(
      rows.map(({ name, address, mac, lease, source }) => ({ name, address, mac, lease, source })),
    );
  }
  if (rows.length === 0) return context.out.print('no devices seen');
  printTable(
    context,
    [
      { title: 'NAME', min: 8 },
      { title: 'ADDRESS' },
      { title: 'MAC' },
      { title: 'VENDOR', optional: true, min: 8, drop: 2 },
      { title: 'LEASE' },
      { title: 'SEEN BY', drop: 1 },
    ],
    rows.map(({ name, address, mac, vendor, lease, source }) => [
      name ?? '-',
      address,
      mac ?? '-',
      vendor ?? '',
      lease,
      source,
    ]),
  );
}
