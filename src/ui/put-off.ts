// Which questions of the engine a person has put off, and for how long that counts.
import type { Prompt } from '../model/host.ts';
import type { ForwardView, LinkEntry, Snapshot } from '../model/snapshot.ts';

/**
 * Put off questions by their id, each with the forwards that waited for it. Forwards of one host share its question, so
 * another one, or one that was stopped meanwhile, may come to wait for the very same: that is asked again.
 */
export type PutOff = ReadonlyMap<string, ReadonlySet<string>>;

/** The question a forward waits for: its own link's, or that of a host on the way. */
export function promptOf({ forwards, links, prompts }: Snapshot, name: string): Prompt | undefined {
  for (let at = forwards[name]?.link ?? null; at !== null; ) {
    const link: LinkEntry | undefined = links[at];
    const id = link?.status.is === 'waiting' ? link.status.prompt : null;
    const found = prompts.find((prompt) => prompt.id === id || prompt.link === at);
    if (found !== undefined) return found;
    at = link?.spec.via ?? null;
  }
  return undefined;
}

function waitingFor(id: string, snapshot: Snapshot, views: readonly ForwardView[]): ReadonlySet<string> {
  const waiting = views.filter(({ name, state }) => state === 'waiting' && promptOf(snapshot, name)?.id === id);
  return new Set(waiting.map(({ name }) => name));
}

export function putOffPrompt(putOff: PutOff, id: string, snapshot: Snapshot, views: readonly ForwardView[]): PutOff {
  return new Map([...putOff, [id, waitingFor(id, snapshot, views)]]);
}

/** What is still put off after a change; the same map where all of it is. */
export function stillPutOff(putOff: PutOff, snapshot: Snapshot, views: readonly ForwardView[]): PutOff {
  if (putOff.size === 0) return putOff;
  const kept = [...putOff].flatMap(([id, before]): [string, ReadonlySet<string>][] => {
    const now = waitingFor(id, snapshot, views);
    const asked = snapshot.prompts.some((prompt) => prompt.id === id);
    if (!asked || [...now].some((name) => !before.has(name))) return [];
    return [[id, now.size === before.size ? before : now]];
  });
  const same = kept.length === putOff.size && kept.every(([id, names]) => putOff.get(id) === names);
  return same ? putOff : new Map(kept);
}

/** What is put off once these forwards are started: whatever they wait for is asked again. */
export function startingAnew(putOff: PutOff, names: readonly string[]): PutOff {
  const concerned = [...putOff].some(([, waiting]) => names.some((name) => waiting.has(name)));
  if (!concerned) return putOff;
  return new Map(
    [...putOff].map(([id, waiting]) => [id, new Set([...waiting].filter((name) => !names.includes(name)))]),
  );
}
