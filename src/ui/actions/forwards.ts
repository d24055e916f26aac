import { commandOf } from '../../present/command.ts';
import { clientAddress } from '../../present/endpoint.ts';
import { count } from '../../present/quantity.ts';
import { safeText } from '../../present/sanitize.ts';
import { actedOn } from '../acted-on.ts';
import { promptOf } from '../put-off.ts';
import { withFilter } from '../state.ts';
import { emptyField, fieldOf } from '../text-field.ts';
import type { Core } from './core.ts';

/** Acting on the forwards, flows and sessions under the cursor. */
export function forwardActions(core: Core) {
  const confirm = (title: string, lines: readonly string[], intent: Parameters<Core['perform']>[0]) =>
    core.act({ do: 'open', overlay: { is: 'confirm', title, lines, intent } });
  /** The overview with what fits alone. */
  const showOnly = (text: string) => {
    core.set({ ...withFilter(core.scene().ui, fieldOf(text), 'overview'), filtering: false });
    core.act({ do: 'go', view: { is: 'overview' } });
  };
  const sessionAtCursor = () => core.scene().place?.id ?? null;

  return {
    toggle() {
      const scene = core.scene();
      const names = actedOn(scene);
      const chosen = scene.views.filter(({ name }) => names.includes(name));
      const down = chosen.every(({ desired }) => desired === 'up');
      core.perform({ do: down ? 'down' : 'up', names });
    },
    openForward() {
      const { forward, picture, ui } = core.scene();
      if (forward === null) return;
      const prompt = picture === null ? undefined : promptOf(picture.snapshot, forward.name);
      if (forward.state === 'waiting' && prompt !== undefined && ui.putOff.has(prompt.id)) {
        core.set({ putOff: new Map([...ui.putOff].filter(([id]) => id !== prompt.id)) });
        return;
      }
      core.act({ do: 'go', view: { is: 'detail', forward: forward.name } });
    },
    mark() {
      const { forward, place, ids } = core.scene();
      if (forward === null) return;
      core.act({ do: 'toggle-mark', name: forward.name });
      const next = Math.min(ids.length - 1, (place?.index ?? 0) + 1);
      core.act({ do: 'cursor', view: 'overview', cursor: { id: ids[next] ?? null, index: next } });
    },
    confirmDelete() {
      const scene = core.scene();
      const names = actedOn(scene);
      const flows = scene.views.filter(({ name }) => names.includes(name)).reduce((sum, { flows: n }) => sum + n, 0);
      confirm(
        names.length === 1 ? `delete ${names[0]}?` : `delete ${count(names.length, 'forward')}?`,
        [
          ...(names.length > 1 ? [names.join(', ')] : []),
          flows > 0
            ? `${count(flows, 'flow')} ${flows === 1 ? 'ends' : 'end'} with it`
            : 'nothing flows through it now',
          'u brings it back',
        ],
        { do: 'remove', names },
      );
    },
    confirmKill() {
      const { flow } = core.scene();
      if (flow === null) return;
      const owner = flow.user === null ? '' : ` (${flow.user}${flow.pid === null ? '' : `, pid ${flow.pid}`})`;
      confirm('end this flow?', [`${flow.peer}${owner}`, `to ${flow.target} through ${flow.forward}`], {
        do: 'kill',
        flow: flow.id,
      });
    },
    confirmRouterDelete() {
      const [, proto, external] = (core.scene().place?.id ?? '').split(' ');
      if (proto !== 'tcp' && proto !== 'udp') return;
      confirm(`delete ${proto}/${external} on the router?`, ['whoever made it may make it again'], {
        do: 'router-delete',
        proto,
        external: Number(external),
      });
    },
    copyCommand() {
      const { forward, picture } = core.scene();
      const config = forward === null ? undefined : picture?.snapshot.forwards[forward.name]?.config;
      if (config === undefined) return;
      core.terminal.copy(commandOf(config).map(safeText).join('\n'));
      core.say('the command is on the clipboard', 'good');
    },
    copyAddress() {
      const { forward, picture } = core.scene();
      if (forward === null) return;
      const far = forward.kind === 'remote' ? forward.host?.replace(/^.*@/, '') : undefined;
      const address = safeText(clientAddress(forward.listen, far ?? picture?.snapshot.engine.hostname ?? 'localhost'));
      core.terminal.copy(address);
      core.say(`${address} is on the clipboard`, 'good');
    },
    askSession() {
      const scene = core.scene();
      const names = actedOn(scene);
      const title = `move ${names.length === 1 ? names[0] : count(names.length, 'forward')}`;
      core.act({
        do: 'open',
        overlay: { is: 'ask', title, label: 'to session', field: emptyField, purpose: { for: 'move', names } },
      });
    },
    askTriggerHost() {
      const name = core.scene().forward?.name;
      if (name === undefined) return;
      core.act({
        do: 'open',
        overlay: {
          is: 'ask',
          title: `open ${name}`,
          label: 'for host',
          field: emptyField,
          purpose: { for: 'trigger-open', name },
        },
      });
    },
    toggleSession() {
      const session = sessionAtCursor();
      if (session === null) return;
      const inside = core.scene().views.filter((view) => view.session === session);
      const down = inside.length > 0 && inside.every(({ desired }) => desired === 'up');
      core.perform({ do: down ? 'session-down' : 'session-up', session });
    },
    showSession() {
      const session = sessionAtCursor();
      if (session === null) return;
      showOnly(`session:${session}`);
    },
    showHost() {
      const { place, picture } = core.scene();
      const link = place?.id == null ? undefined : picture?.snapshot.links[place.id];
      if (link !== undefined) showOnly(`host:${link.spec.dest}`);
    },
    askNewSession() {
      core.act({
        do: 'open',
        overlay: { is: 'ask', title: 'new session', label: 'name', field: emptyField, purpose: { for: 'session-new' } },
      });
    },
    askRenameSession() {
      const name = sessionAtCursor();
      if (name === null) return;
      core.act({
        do: 'open',
        overlay: {
          is: 'ask',
          title: `rename session ${name}`,
          label: 'to',
          field: { text: name, at: name.length },
          purpose: { for: 'session-rename', name },
        },
      });
    },
    confirmDeleteSession() {
      const session = sessionAtCursor();
      if (session !== null)
        confirm(`delete session ${session}?`, ['nothing is in it'], { do: 'session-remove', session });
    },
  };
}
