// What the data plane runs: turns "this should run" into links, pins and commands, one after the other for each id.
import type { Runnable } from '../dataplane/messages.ts';
import type { Settings, SshForward } from '../model/config.ts';
import { type Failure, toFailure } from '../model/errors.ts';
import type { LinkSpec } from '../model/host.ts';
import { isSshForward } from '../model/kinds.ts';
import type { ListenerStatus } from '../model/state.ts';
import { wantedCarrier } from '../ssh/request.ts';
import type { Meter } from './meter.ts';
import type { Pool } from './pool.ts';
import { probeEveryMs } from './probe-interval.ts';

export type Runs = ReturnType<typeof createRuns>;

export interface RunRequest {
  /** The forward's name, or for a way a trigger opened `NAME/open/N`. */
  readonly id: string;
  /** Whose counters and flows these are. */
  readonly forward: Runnable['forward'];
  /** A link that is there already, for what a trigger opens on the far side; else the host is resolved. */
  readonly link?: string;
}

export interface RunsOptions {
  readonly pool: Pool;
  readonly meter: Meter;
  readonly settings: () => Settings;
  readonly plan: (forward: SshForward, mismatched: readonly string[]) => Promise<LinkSpec[]>;
  readonly onListener: (id: string, status: ListenerStatus) => void;
  readonly onBound: (id: string, links: readonly LinkSpec[]) => void;
}

interface Run {
  readonly request: RunRequest;
  phase: 'planning' | 'running' | 'stopping';
  worker: number | null;
  links: readonly string[];
  /** What comes after the stop that is under way. */
  next: RunRequest | null;
  stopped: PromiseWithResolvers<void>;
}

/** A thread that lived this long before it died is started again at once. */
const calmMs = 60_000;

export function createRuns(options: RunsOptions) {
  const { pool, meter } = options;
  const runs = new Map<string, Run>();
  /** Links each worker has been told of, as told. */
  const told = new Map<number, Map<string, string>>();
  /** Links the embedded carrier has no algorithm in common over. */
  let mismatched: readonly string[] = [];
  let deaths = 0;
  let lastDeathMs = 0;

  const launch = async (request: RunRequest): Promise<void> => {
    const { id, forward } = request;
    const run: Run = {
      request,
      phase: 'planning',
      worker: null,
      links: [],
      next: null,
      stopped: Promise.withResolvers(),
    };
    runs.set(id, run);
    options.onListener(id, { is: 'opening' });
    let specs: readonly LinkSpec[] = [];
    if (isSshForward(forward) && request.link === undefined) {
      let failure: Failure | null = null;
      try {
        specs = await options.plan(forward, mismatched);
      } catch (error) {
        failure = toFailure(error);
      }
      if (runs.get(id) !== run || run.phase !== 'planning') return finish(run);
      if (failure !== null) {
        run.phase = 'running';
        options.onListener(id, { is: 'failed', error: failure });
        return;
      }
      options.onBound(id, specs);
    }
    const link = request.link ?? specs.at(-1)?.id ?? null;
    // A chain of jump hosts lives in one thread, the one of its outermost host.
    const worker = request.link === undefined ? pool.pin(specs[0]?.id ?? `relay:${id}`) : workerOf(request.link);
    run.phase = 'running';
    run.worker = worker;
    run.links = specs.map((spec) => spec.id);
    for (const spec of specs) tell(worker, spec);
    pool.send(worker, {
      do: 'start',
      runnable: {
        id,
        forward,
        link,
        counters: meter.cell(forward.name),
        probeMs: probeEveryMs(forward, options.settings()),
      },
    });
    // One that gave up, or waits for its next try, is tried at once.
    for (const link of run.links) pool.send(worker, { do: 'retry', link });
  };

  const workerOf = (link: string): number => {
    for (const [worker, links] of told) if (links.has(link)) return worker;
    return pool.pin(link);
  };

  const tell = (worker: number, spec: LinkSpec) => {
    const known = told.get(worker) ?? new Map<string, string>();
    told.set(worker, known);
    const text = JSON.stringify(spec);
    if (known.get(spec.id) === text) return;
    known.set(spec.id, text);
    pool.send(worker, { do: 'link', spec });
  };

  const finish = (run: Run) => {
    const { id } = run.request;
    if (runs.get(id) === run) runs.delete(id);
    if (run.links.length === 0) pool.unpin(`relay:${id}`);
    run.stopped.resolve();
    if (run.next !== null) void launch(run.next);
    else options.onListener(id, { is: 'closed' });
  };

  const stop = (id: string, { cutFlows = true, next = null as RunRequest | null } = {}): Promise<void> => {
    const run = runs.get(id);
    if (run === undefined) return Promise.resolve();
    run.next = next;
    // What it was is over: whoever waits for the outcome must not take it for the new one.
    if (next !== null) options.onListener(id, { is: 'opening' });
    if (run.phase === 'stopping') return run.stopped.promise;
    const planning = run.phase === 'planning';
    run.phase = 'stopping';
    if (run.worker !== null) pool.send(run.worker, { do: 'stop', id, cutFlows });
    else if (!planning) finish(run);
    return run.stopped.promise;
  };

  return {
    /** Starts it, or starts it anew when it runs already. */
    start(request: RunRequest): void {
      if (runs.has(request.id)) void stop(request.id, { next: request });
      else void launch(request);
    },
    stop,
    has: (id: string): boolean => runs.has(id),
    /** What runs under this id, or is about to. */
    requested: (id: string): RunRequest | null => {
      const run = runs.get(id);
      return run === undefined ? null : run.phase === 'stopping' ? run.next : run.request;
    },
    ids: (): string[] => [...runs.keys()],
    /** Resolves once what is stopping of these forwards has stopped: its listeners are gone. */
    async stopped(names: readonly string[]): Promise<void> {
      const mine = [...runs.values()].filter(({ request }) => names.includes(request.forward.name));
      await Promise.all(mine.flatMap((run) => (run.phase === 'stopping' ? [run.stopped.promise] : [])));
    },
    workerOf,
    /** The data plane let go of a run. */
    onStopped(id: string): void {
      const run = runs.get(id);
      if (run !== undefined && run.phase === 'stopping') finish(run);
    },
    /** Whether all that runs over this link is about to start anew: what becomes of the old link is nobody's outcome. */
    leaving(link: string): boolean {
      const users = [...runs.values()].filter(({ links }) => links.includes(link));
      return users.length > 0 && users.every(({ phase, next }) => phase === 'stopping' && next !== null);
    },
    mismatched: () => mismatched,
    /** The embedded carrier cannot talk to this host; true when what runs over it will be tried over the other one. */
    fallBack(link: string): boolean {
      const affected = [...runs.values()].filter(({ links, request: { forward } }) => {
        const own = links.at(-1) === link;
        return links.includes(link) && isSshForward(forward) && !(own && wantedCarrier(forward.ssh ?? {}) === 'ssh2');
      });
      if (affected.length === 0 || mismatched.includes(link)) return false;
      mismatched = [...mismatched, link];
      for (const { request } of affected) void stop(request.id, { next: request });
      return true;
    },
    /** A thread died: everything it ran starts anew, later and later when that goes on. */
    workerDied(worker: number): void {
      told.delete(worker);
      const now = Date.now();
      deaths = now - lastDeathMs > calmMs ? 1 : deaths + 1;
      lastDeathMs = now;
      const delayMs = Math.min(30_000, 250 * 2 ** (deaths - 1));
      for (const run of [...runs.values()]) {
        if (run.worker !== worker) continue;
        meter.renewCell(run.request.forward.name);
        if (run.phase === 'stopping') {
          finish(run);
        } else {
          const { request } = run;
          const error: Failure = {
            code: 'internal',
            message: 'its data-plane thread ended',
            hint: 'it starts anew; the log says why',
          };
          options.onListener(request.id, { is: 'retrying', error, nextTry: new Date(now + delayMs).toISOString() });
          run.phase = 'planning';
          run.worker = null;
          setTimeout(() => {
            if (runs.get(request.id) === run && run.phase === 'planning') void launch(request);
            else if (run.phase === 'stopping') finish(run);
          }, delayMs).unref();
        }
      }
    },
  };
}
