import type { GatewayRule } from '../../gateways/gateway.ts';
import { kernelConflict } from '../../gateways/nftables/kernel-conflict.ts';
import { listeners } from '../../machine/sockets.ts';
import { addressReach, listReaches, normalAddress } from '../../model/cidr.ts';
import type { Forward } from '../../model/config.ts';
import { conflictError, findConflict } from '../../model/conflicts.ts';
import { SallyportError, toFailure } from '../../model/errors.ts';
import { type ForwardView, viewForward } from '../../model/snapshot.ts';
import type { Preview } from '../../protocol/methods.ts';
import { readForward } from '../desired.ts';
import type { Engine } from '../engine.ts';
import { kernelRules } from '../mapping-rules.ts';
import { previewMapping } from '../preview.ts';
import type { Handlers } from '../server.ts';
import { openRanges } from '../triggers/rules.ts';

/** States a forward stays in until something happens to it. */
const settled = new Set(['up', 'off', 'failed', 'waiting', 'degraded']);

export function viewNamed(engine: Engine, name: string): ForwardView {
  const state = engine.state();
  const entry = state.forwards[engine.desired.get(name).name];
  if (entry === undefined)
    throw new SallyportError('not_found', `no forward is called ${name}`, 'sallyport ls shows them');
  return viewForward(entry, state.links, engine.meter.current(name));
}

export function viewAll(engine: Engine): ForwardView[] {
  const { order, forwards, links } = engine.state();
  return order.flatMap((name) => {
    const entry = forwards[name];
    return entry === undefined ? [] : [viewForward(entry, links, engine.meter.current(name))];
  });
}

/** The address a forward's clients come to; `*` for all of this machine's, undefined for loopback. */
function bindOf(forward: Forward): string | undefined {
  if (forward.kind === 'trigger') return forward.bind;
  const address = 'address' in forward.listen ? forward.listen.address : undefined;
  if (forward.kind !== 'mapping' || forward.via === 'relay') return address;
  return forward.via === 'router' ? 'the router' : (address ?? '*');
}

function warningsOf(forward: Forward): string[] {
  const warnings: string[] = [];
  const address = bindOf(forward);
  const wide = address === '*' || (address !== undefined && addressReach(address) !== 'host');
  if (wide && !forward.allow?.length && forward.kind !== 'remote') {
    const where = address === '*' ? 'this machine' : address;
    warnings.push(
      `anybody who reaches ${where} can use it${forward.kind === 'mapping' && forward.via === 'router' ? '' : ': --allow limits that'}`,
    );
  }
  if (wide && forward.kind === 'dynamic' && forward.login === undefined) {
    warnings.push('a SOCKS server without a password beyond loopback is an open proxy');
  }
  const nobody = listForNobody(forward);
  if (nobody !== null) warnings.push(nobody);
  return warnings;
}

/** Where the engine itself listens: who the list lets in may have no way to that address, loopback above all. */
function listForNobody(forward: Forward): string | null {
  const { kind, allow = [] } = forward;
  if (allow.length === 0 || kind === 'remote') return null;
  const ssh = kind === 'local' || kind === 'dynamic';
  if (!ssh && forward.via !== 'relay') return null;
  if (ssh && 'socket' in forward.listen) return null;
  const bind = bindOf(forward) ?? (ssh ? 'localhost' : '127.0.0.1');
  if (listReaches(bind, allow)) return null;
  return `nobody on the allow list can get to ${bind}, where it listens: ${ssh ? 'ADDRESS:PORT' : '--bind'} names another address`;
}

async function preview(engine: Engine, raw: unknown, replacing: string | undefined): Promise<Preview> {
  try {
    const forward = readForward(raw);
    const others = engine.desired.config().forwards.filter(({ name }) => name !== replacing);
    if (others.some(({ name }) => name === forward.name)) {
      throw new SallyportError('name_taken', `a forward called ${forward.name} exists`, 'choose another name');
    }
    const conflict = findConflict(forward, others);
    if (conflict !== null) throw conflictError(forward, conflict);
    await refuseShadows([forward]);
    const prospect = forward.kind === 'mapping' ? await previewMapping(engine, forward) : { actions: [], warnings: [] };
    return { refusal: null, warnings: [...warningsOf(forward), ...prospect.warnings], actions: prospect.actions };
  } catch (error) {
    return { refusal: toFailure(error), warnings: [], actions: [] };
  }
}

/** Ports a forward takes in the kernel, before this machine's own programs see them. */
function kernelPorts(forward: Forward): Pick<GatewayRule, 'proto' | 'external' | 'internal'>[] {
  if (forward.kind === 'mapping' && forward.via === 'nftables' && forward.force !== true)
    return kernelRules(forward, normalAddress(forward.target.host) ?? '');
  if (forward.kind !== 'trigger' || forward.via !== 'nftables') return [];
  // An interface's name stands for whatever addresses it has.
  const at = normalAddress(forward.bind ?? '');
  return openRanges(forward.open).map(({ proto, first, last }) => ({
    proto,
    external: { address: at === '0.0.0.0' || at === '::' ? null : at, first, last },
    internal: { address: '', first },
  }));
}

/** Refuses kernel rules that would take a port from a program on this machine, above all from its sshd. */
async function refuseShadows(forwards: readonly Forward[]): Promise<void> {
  const taken = forwards.flatMap((forward) => kernelPorts(forward).map((rule) => ({ rule, kind: forward.kind })));
  if (taken.length === 0) return;
  const open = (await listeners()).filter(({ pid }) => pid !== process.pid);
  for (const { rule, kind } of taken) {
    const refusal = kernelConflict(rule, open, kind === 'trigger' ? kind : 'mapping');
    if (refusal !== null) throw refusal;
  }
}

type Mine =
  | 'list'
  | 'show'
  | 'add'
  | 'edit'
  | 'move'
  | 'up'
  | 'down'
  | 'restart'
  | 'remove'
  | 'settle'
  | 'undo'
  | 'preview'
  | 'saveSession'
  | 'removeSession'
  | 'saveSettings';

export function forwardHandlers(engine: Engine): Pick<Handlers, Mine> {
  const { desired } = engine;

  return {
    list: () => viewAll(engine),
    show: ({ name }) => ({ view: viewNamed(engine, name), config: desired.get(name) }),
    add: async ({ forwards, up }) => {
      await refuseShadows(forwards.map(readForward));
      return desired.add(forwards, up).map(({ name }) => name);
    },
    edit: async ({ name, patch }) => {
      const next = desired.patched(name, patch);
      if (JSON.stringify(kernelPorts(next)) !== JSON.stringify(kernelPorts(desired.get(name))))
        await refuseShadows([next]);
      const free = !desired.config().forwards.some((forward) => forward.name === next.name);
      // Before the change, which forgets what no forward has the name of.
      if (free) engine.meter.rename(name, next.name);
      let forward: Forward;
      try {
        forward = desired.edit(name, patch);
      } catch (error) {
        if (free) engine.meter.rename(next.name, name);
        throw error;
      }
      await engine.followed([name, forward.name]);
      return viewNamed(engine, forward.name);
    },
    move: async ({ names, session }) => {
      desired.move(names, session);
      await engine.followed(names);
      return null;
    },
    up: (selection) => {
      const names = desired.select(selection);
      // What failed for good is tried again only because somebody asks; what is up stays untouched.
      const broken = names.filter((name) => engine.state().forwards[name]?.listener.is === 'failed');
      desired.enable(names, true);
      engine.restart(broken);
      engine.retryLinks(names);
      return names;
    },
    down: async (selection) => {
      const names = desired.select(selection);
      desired.enable(names, false);
      await engine.followed(names);
      return names;
    },
    restart: (selection) => {
      const names = desired.select(selection);
      engine.restart(names);
      desired.enable(names, true);
      return names;
    },
    remove: async (selection) => {
      const names = desired.select(selection);
      if (names.length > 0) desired.remove(names);
      await engine.followed(names);
      return names;
    },
    settle: async ({ names, timeoutMs }) => {
      await engine.until(
        (state) =>
          names.every((name) => {
            const entry = state.forwards[name];
            return entry === undefined || settled.has(viewForward(entry, state.links).state);
          }),
        timeoutMs,
      );
      return names.filter((name) => engine.state().forwards[name] !== undefined).map((name) => viewNamed(engine, name));
    },
    undo: async () => {
      const names = desired.select({ all: true });
      const undone = desired.undo();
      await engine.followed([...names, ...desired.select({ all: true })]);
      return { undone };
    },
    preview: ({ forward, replacing }) => preview(engine, forward, replacing),
    saveSession: ({ name, note, rename }) => {
      desired.saveSession(name, note, rename);
      return null;
    },
    removeSession: ({ name }) => {
      desired.removeSession(name);
      return null;
    },
    saveSettings: ({ patch }) => {
      desired.saveSettings(patch);
      return null;
    },
  };
}
