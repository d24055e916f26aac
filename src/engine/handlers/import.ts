import { type Forward, Forward as ForwardSchema } from '../../model/config.ts';
import { parseConfig } from '../../model/config-text.ts';
import { ClaimBook, conflictError } from '../../model/conflicts.ts';
import { SallyportError, toFailure } from '../../model/errors.ts';
import type { CheckedParams, ImportPlan } from '../../protocol/methods.ts';
import { parseSshCommand } from '../../ssh/import-command.ts';
import { forwardsFromSshConfig, nameForImport } from '../../ssh/import-config.ts';
import type { Engine } from '../engine.ts';
import type { Handlers } from '../server.ts';

type Skipped = ImportPlan['skipped'];

interface Read {
  readonly forwards: readonly Forward[];
  readonly skipped: Skipped;
}

async function read(params: CheckedParams<'import'>, taken: readonly string[]): Promise<Read> {
  switch (params.from) {
    case 'ssh': {
      const { dest, overrides, specs, ignored } = parseSshCommand(params.args ?? [], params.cwd);
      if (specs.length === 0)
        throw new SallyportError('usage', 'the command forwards nothing', 'it needs -L, -R or -D');
      const names = new Set(taken);
      const forwards = specs.map((spec) => {
        const name = nameForImport(dest.replace(/^.*@/, ''), names);
        names.add(name);
        return ForwardSchema.parse({
          name,
          kind: spec.kind,
          host: dest,
          ...(Object.keys(overrides).length > 0 && { ssh: overrides }),
          listen: spec.listen,
          ...(spec.target !== null && { target: spec.target }),
        });
      });
      return {
        forwards,
        skipped: ignored.map((what) => ({ what, why: 'it means nothing for a forward that is kept' })),
      };
    }
    case 'ssh-config': {
      const { forwards, skipped } = await forwardsFromSshConfig({
        taken,
        ...(params.file !== undefined && { file: params.file }),
      });
      return { forwards, skipped: skipped.map(({ host, line, why }) => ({ what: `${host} ${line}`.trim(), why })) };
    }
    case 'sallyport':
      return {
        forwards: parseConfig(params.text ?? '', params.file ?? 'the import', 'name a file that sallyport export wrote')
          .forwards,
        skipped: [],
      };
  }
}

/** What makes two forwards the same, whatever their name and state. */
function essence({ name: _name, enabled: _enabled, session: _session, note: _note, ...rest }: Forward): string {
  return JSON.stringify(rest);
}

/** The keys two versions of a forward differ in. */
function differences(before: Forward, after: Forward): string[] {
  const [a, b] = [before, after] as unknown as Record<string, unknown>[];
  return Object.keys({ ...a, ...b }).filter(
    (key) => key !== 'enabled' && JSON.stringify(a?.[key]) !== JSON.stringify(b?.[key]),
  );
}

function plan(
  engine: Engine,
  { forwards, skipped }: Read,
  byName: boolean,
): ImportPlan & { readonly changed: readonly Forward[] } {
  const have = engine.desired.config().forwards;
  const known = new Map(have.map((forward) => [essence(forward), forward.name]));
  const named = new Map(have.map((forward) => [forward.name, forward]));
  const held = new ClaimBook(have);
  const add: Forward[] = [];
  const changed: Forward[] = [];
  const change: { name: string; what: string[] }[] = [];
  const same: string[] = [];
  const left: Skipped[number][] = [...skipped];
  for (const forward of forwards) {
    const old = byName ? named.get(forward.name) : undefined;
    const twin = known.get(essence(forward));
    if (old !== undefined) {
      const what = differences(old, forward);
      if (what.length === 0) same.push(forward.name);
      else {
        change.push({ name: forward.name, what });
        changed.push({ ...forward, enabled: old.enabled });
      }
    } else if (twin !== undefined) {
      same.push(twin);
    } else {
      const conflict = held.conflict(forward);
      if (conflict === null) {
        add.push(forward);
        held.add(forward);
      } else left.push({ what: forward.name, why: toFailure(conflictError(forward, conflict)).message });
    }
  }
  return { add, change, same, skipped: left, changed };
}

export function importHandlers(engine: Engine): Pick<Handlers, 'import'> {
  return {
    import: async (params) => {
      const taken = engine.desired.config().forwards.map(({ name }) => name);
      const found = await read(params, params.from === 'sallyport' ? [] : taken);
      const { changed, ...result } = plan(engine, found, params.from === 'sallyport');
      if (params.dryRun) return result;
      for (const forward of changed) engine.desired.edit(forward.name, { ...forward });
      if (result.add.length > 0) engine.desired.add(result.add, false);
      return result;
    },
  };
}
