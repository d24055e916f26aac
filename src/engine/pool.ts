// The data plane's threads: started when needed, each SSH chain pinned to one, replaced when one dies.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { WorkerData } from '../dataplane/main.ts';
import type { Command, WorkerEvent } from '../dataplane/messages.ts';

export interface PoolEvents {
  event(event: WorkerEvent, worker: number): void;
  /** A worker died and took what it ran with it; it will be started anew when it is next needed. */
  died(worker: number, why: string): void;
  /** What a thread is told first. */
  greeting(): Command[];
}

export interface Pool {
  /** The worker for everything with this key; the least loaded one when the key is new. */
  pin(key: string): number;
  /** Forgets a key that nothing uses any more. */
  unpin(key: string): void;
  send(worker: number, command: Command): void;
  broadcast(command: Command): void;
  /** Asks a worker, or every running one, and collects the answers. */
  ask<E extends WorkerEvent['on']>(
    make: (request: number) => Command,
    answer: E,
    worker?: number,
  ): Promise<Extract<WorkerEvent, { on: E }>[]>;
  /** Ends all of it, flows first. */
  stop(): Promise<void>;
}

const stopTimeoutMs = 4000;
const askTimeoutMs = 5000;

export function createPool(workerFile: string, size: number | 'auto', events: PoolEvents): Pool {
  const count = size === 'auto' ? Math.max(1, Math.min(8, availableParallelism())) : size;
  const threads: (Worker | null)[] = Array.from({ length: count }, () => null);
  const pins = new Map<string, number>();
  /** How many keys each worker has. */
  const load = threads.map(() => 0);
  const asked = new Map<number, { worker: number; resolve: (event: WorkerEvent | null) => void }>();
  let lastRequest = 0;
  let stopping = false;

  const start = (index: number): Worker => {
    const thread = new Worker(workerFile, { workerData: { workers: count } satisfies WorkerData, stderr: false });
    let why = '';
    thread.on('message', (event: WorkerEvent) => {
      if ('request' in event) asked.get(event.request)?.resolve(event);
      else events.event(event, index);
    });
    thread.on('error', (error) => {
      why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    });
    thread.on('exit', (code) => {
      if (threads[index] === thread) threads[index] = null;
      for (const { worker, resolve } of asked.values()) if (worker === index) resolve(null);
      if (!stopping) events.died(index, why || `exit code ${code}`);
    });
    threads[index] = thread;
    for (const command of events.greeting()) thread.postMessage(command);
    return thread;
  };

  return {
    pin(key) {
      const known = pins.get(key);
      if (known !== undefined) return known;
      const worker = load.indexOf(Math.min(...load));
      pins.set(key, worker);
      load[worker] = (load[worker] as number) + 1;
      return worker;
    },
    unpin(key) {
      const worker = pins.get(key);
      if (worker === undefined) return;
      pins.delete(key);
      load[worker] = (load[worker] as number) - 1;
    },
    send(worker, command) {
      if (!stopping) (threads[worker] ?? start(worker)).postMessage(command);
    },
    broadcast(command) {
      for (const thread of threads) thread?.postMessage(command);
    },
    async ask(make, _answer, worker) {
      const targets = worker === undefined ? threads.keys() : [worker];
      const answers = [...targets].map((index) => {
        const thread = threads[index];
        if (thread === null || thread === undefined) return null;
        const request = ++lastRequest;
        const { promise, resolve } = Promise.withResolvers<WorkerEvent | null>();
        const timer = setTimeout(() => resolve(null), askTimeoutMs);
        asked.set(request, { worker: index, resolve });
        thread.postMessage(make(request));
        return promise.finally(() => {
          clearTimeout(timer);
          asked.delete(request);
        });
      });
      const events = await Promise.all(answers);
      return events.filter((event) => event !== null) as never;
    },
    async stop() {
      stopping = true;
      await Promise.all(
        threads.map(async (thread) => {
          if (thread === null) return;
          const gone = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
          thread.postMessage({ do: 'shutdown' } satisfies Command);
          const timer = setTimeout(() => void thread.terminate(), stopTimeoutMs);
          await gone;
          clearTimeout(timer);
        }),
      );
    },
  };
}
