import type { Command } from 'commander';
import { SallyportError } from '../../model/errors.ts';
import { type Context, withEngine } from '../context.ts';
import { collect, declareCommon, waitMs } from '../flags/common.ts';
import { declareSpecs } from '../flags/specs.ts';
import { declareSsh } from '../flags/ssh.ts';
import { settle } from '../prompts.ts';
import { declareOverSsh } from '../requests/add.ts';
import { type EditFlags, editPatch, unsettable } from '../requests/edit.ts';
import { declareMappingExtras } from '../requests/map.ts';
import { declareTriggerFlags } from '../requests/trigger.ts';
import { showChanged } from '../views.ts';
import { placeOf } from './add.ts';

export function registerEdit(program: Command, context: Context): void {
  const command = program
    .command('edit')
    .summary('change a forward')
    .description(
      'Change a forward: only what is named changes. "none" clears --allow, --deny, --max-flows, --rate, --idle-flow, --for, --from, --to, --bind and --max-open; --unset clears anything that may be left out.',
    )
    .argument('<name>', 'the forward');
  const typed = declareSpecs(command);
  declareSsh(command).option('--host <dest>', 'SSH host');
  declareOverSsh(command)
    .option('--external <ports>', 'mapping: external port or range')
    .option('--internal <host>', 'mapping: HOST[:PORT[-LAST]]')
    .option('--proto <proto>', 'mapping: tcp, udp or both')
    .option('--via <gateway>', 'mapping, trigger: who carries it')
    .option('--bind <address>', 'mapping, trigger: address of the ports')
    .option('--force', 'nftables: even over a port this machine listens on');
  declareMappingExtras(command);
  declareTriggerFlags(command);
  declareCommon(command).option('--unset <settings>', `clear ${Object.keys(unsettable).join(', ')}`, collect);
  command.action(async (name: string, flags: EditFlags) => {
    const timeoutMs = waitMs(flags.wait, 15);
    await withEngine(context, async (client) => {
      const { config } = await client.call('show', { name });
      const patch = editPatch(config, typed, flags, placeOf(context));
      if (Object.keys(patch).length === 0 && !flags.up) {
        throw new SallyportError(
          'usage',
          'edit: nothing to change is named',
          'sallyport edit --help lists what can be',
        );
      }
      let view = Object.keys(patch).length === 0 ? null : await client.call('edit', { name, patch });
      if (flags.up) await client.call('up', { names: [name] });
      if (view === null || view.desired === 'up' || flags.up) {
        [view = null] = await settle(context, client, [name], timeoutMs, flags.json !== true);
      }
      showChanged(context, view === null ? [] : [view], flags.json === true, flags.up === true);
    });
  });
}
