import type { Command } from 'commander';
import type { Forward } from '../../model/config.ts';
import type { EngineEvent } from '../../model/event.ts';
import type { ForwardView } from '../../model/snapshot.ts';
import { formatBytes, formatRate, formatSpan } from '../../present/quantity.ts';
import { timeLeft } from '../../present/reason.ts';
import { safeText } from '../../present/sanitize.ts';
import { stateLooks } from '../../present/states.ts';
import { type Context, withEngine } from '../context.ts';
import { eventLine } from './events.ts';

const eventsShown = 10;

export function registerShow(program: Command, context: Context): void {
  program
    .command('show')
    .summary('show one forward')
    .description('Show all there is to know about one forward: state, traffic, configuration, last events.')
    .argument('<name>', 'the forward')
    .option('--json', 'print JSON, as an element of ls --json')
    .action(async (name: string, { json }: { json?: boolean }) => {
      const { view, config, events } = await withEngine(context, async (client) => ({
        ...(await client.call('show', { name })),
        events: json ? [] : await client.call('events', { forward: name, limit: eventsShown }),
      }));
      if (json) context.out.json(view);
      else printFacts(context, view, config, events);
    });
}

function printFacts(context: Context, view: ForwardView, config: Forward, events: readonly EngineEvent[]): void {
  const { out, paint } = context;
  const now = Date.now();
  const look = stateLooks[view.state];
  const facts: [string, string][] = [
    ['name', view.name],
    [
      'state',
      `${look.glyph} ${look.word}${view.since === null ? '' : ` for ${formatSpan(now - Date.parse(view.since))}`}`,
    ],
    [
      'wanted',
      config.until === undefined || !config.enabled ? view.desired : `${view.desired}, ${timeLeft(config.until, now)}`,
    ],
    ['kind', `${view.kind}, via ${view.via}`],
    ['session', view.session],
    ['host', view.host ?? ''],
    ['listen', view.listen],
    ['target', view.target ?? 'any'],
    ['received', `${formatBytes(view.rx)} (${formatRate(view.rxRate)})`],
    ['sent', `${formatBytes(view.tx)} (${formatRate(view.txRate)})`],
    ['flows', `${view.flows} now, ${view.flowsTotal} in all`],
    ['next try', view.nextTry === null ? '' : `in ${formatSpan(Date.parse(view.nextTry) - now)}`],
    ['error', view.error === null ? '' : `${view.error.message} (${view.error.code})`],
    ['try', view.error?.hint ?? ''],
    ...view.opened.map(({ proto, ports, host, expiresAt }): [string, string] => [
      'open',
      `${proto} ${ports} for ${host}, ${formatSpan(Date.parse(expiresAt) - now)} left`,
    ]),
    ['note', view.note],
  ];
  for (const [label, value] of facts) {
    if (value === '') continue;
    const text = safeText(value);
    out.print(
      `${paint('dim', label.padEnd(10))}${label === 'state' || label === 'error' ? paint(look.role, text) : text}`,
    );
  }
  out.print(`${paint('dim', 'config'.padEnd(10))}${safeText(JSON.stringify(config))}`);
  if (events.length > 0) out.print('');
  for (const event of events) out.print(eventLine(event, paint));
}
