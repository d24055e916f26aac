// What of a change of state is worth an event.
import type { EventLevel } from '../model/event.ts';
import { type ForwardView, linkChain, type Snapshot, viewForward } from '../model/snapshot.ts';
import type { ForwardState } from '../model/state.ts';

export interface Announcement {
  readonly level: EventLevel;
  readonly forward: string | null;
  readonly code: string;
  readonly message: string;
}

const levels: Record<ForwardState, EventLevel> = {
  off: 'info',
  starting: 'debug',
  up: 'info',
  waiting: 'warn',
  retrying: 'warn',
  failed: 'error',
  degraded: 'warn',
};

function describe(view: ForwardView): string {
  const why = view.error === null ? '' : `: ${view.error.message}`;
  switch (view.state) {
    case 'up':
      return `up, listening on ${view.listen}${why}`;
    case 'waiting':
      return `needs you${why}`;
    default:
      return `${view.state}${why}`;
  }
}

/** Events for the forwards and links whose state changed between two snapshots. */
export function announce(before: Snapshot, after: Snapshot): Announcement[] {
  const news: Announcement[] = [];
  for (const [name, entry] of Object.entries(after.forwards)) {
    const old = before.forwards[name];
    // At the start each of many forwards changes once, and all are looked at each time.
    if (old === entry && before.links === after.links) continue;
    const sameLink = linkChain(after.links, entry.link).every((id) => before.links[id] === after.links[id]);
    if (old === entry && sameLink) continue;
    const view = viewForward(entry, after.links);
    const was = old === undefined ? null : viewForward(old, before.links);
    if (view.state === 'starting' || (was === null && view.state === 'off')) continue;
    if (was?.state === view.state && was.error?.code === view.error?.code && was.error?.message === view.error?.message)
      continue;
    news.push({
      level: levels[view.state],
      forward: name,
      code: view.error?.code ?? view.state,
      message: describe(view),
    });
  }
  return news;
}
