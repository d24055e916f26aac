import { peerOwners } from '../../machine/sockets.ts';
import { SallyportError } from '../../model/errors.ts';
import type { Flow, RawFlow } from '../../model/flow.ts';
import type { Engine } from '../engine.ts';
import type { Ledger } from '../ledger.ts';
import type { Handlers } from '../server.ts';

/** Names the owner of each flow whose peer is a process on this machine. */
async function withOwners(flows: readonly RawFlow[]): Promise<Flow[]> {
  const owners = flows.length === 0 ? new Map() : await peerOwners(flows.filter(({ proto }) => proto !== 'unix'));
  return flows.map(({ proto: _proto, local: _local, ...flow }) => {
    const owner = owners.get(flow.peer);
    return { ...flow, user: owner?.user ?? null, pid: owner?.pid ?? null };
  });
}

export function trafficHandlers(
  engine: Engine,
  ledger: Ledger,
): Pick<Handlers, 'flows' | 'kill' | 'events' | 'history' | 'days'> {
  return {
    flows: async ({ forward }) => {
      const name = forward === undefined ? null : engine.desired.get(forward).name;
      const [answers, elsewhere] = await Promise.all([
        engine.pool.ask((request) => ({ do: 'flows', request, forward: name }), 'flows'),
        engine.mappings.flows(name),
      ]);
      return withOwners([...answers.flatMap(({ flows }) => flows), ...elsewhere]);
    },
    kill: async ({ flow }) => {
      const answers = await engine.pool.ask((request) => ({ do: 'kill', request, flow }), 'killed');
      if (!answers.some(({ found }) => found) && !(await engine.mappings.kill(flow))) {
        throw new SallyportError('not_found', `there is no flow ${flow}`, 'sallyport flows lists them');
      }
      return null;
    },
    events: ({ forward, limit }) => engine.events.recent(forward === undefined ? null : forward, limit),
    days: ({ forward }) => {
      ledger.enter(engine.meter.totals());
      return ledger.days(forward === undefined ? null : engine.desired.get(forward).name);
    },
    history: ({ forward, range }) =>
      engine.meter.history(forward === undefined ? null : engine.desired.get(forward).name, range),
  };
}
