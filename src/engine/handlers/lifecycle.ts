import { build, version } from '../../model/build.ts';
import { viewForward } from '../../model/snapshot.ts';
import { protocolVersion } from '../../protocol/methods.ts';
import type { Engine } from '../engine.ts';
import type { Handlers } from '../server.ts';

export function lifecycleHandlers(
  engine: Engine,
  supervised: boolean,
  stop: (reason: 'stop' | 'restart') => void,
): Pick<Handlers, 'hello' | 'status' | 'stop' | 'watch' | 'unwatch'> {
  return {
    hello: () => ({ build, version, protocol: protocolVersion, pid: process.pid, supervised }),
    status: () => {
      const state = engine.state();
      const forwards: Record<string, number> = {};
      for (const entry of Object.values(state.forwards)) {
        const is = viewForward(entry, state.links).state;
        forwards[is] = (forwards[is] ?? 0) + 1;
      }
      return {
        pid: process.pid,
        version,
        uptime: Math.round((Date.now() - engine.startedAtMs) / 1000),
        home: engine.home.dir,
        socket: engine.home.socket,
        forwards,
        rss: process.memoryUsage.rss(),
      };
    },
    stop: ({ handover }) => {
      // The JSON-RPC library writes the answer some turns of the loop later; it must be on its way first.
      setTimeout(() => stop(handover ? 'restart' : 'stop'), 20);
      return null;
    },
    watch: (_params, { watcher }) => ({
      snapshot: engine.publisher.watch(watcher),
      counters: engine.meter.sampled(),
      eventSeq: engine.events.lastSeq(),
    }),
    unwatch: (_params, { watcher }) => {
      engine.publisher.unwatch(watcher);
      return null;
    },
  };
}
