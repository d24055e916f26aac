import { SallyportError } from '../../model/errors.ts';
import { isSshForward } from '../../model/kinds.ts';
import type { LinkEntry } from '../../model/snapshot.ts';
import { hostReport } from '../../ssh/report.ts';
import type { Engine } from '../engine.ts';
import type { Handlers } from '../server.ts';

export function hostHandlers(engine: Engine): Pick<Handlers, 'hosts' | 'host' | 'answer'> {
  return {
    hosts: () => {
      const { links, forwards } = engine.state();
      const known = new Set(Object.values(links).map(({ spec }) => spec.dest));
      const idle: LinkEntry[] = [];
      for (const { config } of Object.values(forwards)) {
        if (!isSshForward(config) || known.has(config.host)) continue;
        known.add(config.host);
        idle.push({
          spec: { id: '', dest: config.host, carrier: 'ssh2', why: 'not resolved yet', via: null },
          status: { is: 'idle' },
        });
      }
      return [...Object.values(links), ...idle];
    },
    host: async ({ dest, overrides }) =>
      hostReport({ dest, overrides }, undefined, { mismatched: engine.runs.mismatched() }),
    answer: ({ prompt, answer }) => {
      const known = engine.state().prompts.find(({ id }) => id === prompt);
      if (known === undefined) {
        throw new SallyportError(
          'not_found',
          'nobody asks that any more',
          'it was answered elsewhere, or the connection has gone',
        );
      }
      engine.pool.send(engine.runs.workerOf(known.link), { do: 'answer', prompt, answer });
      return null;
    },
  };
}
