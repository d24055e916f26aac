import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '../client/client.ts';
import { type Mirror, startMirror } from '../client/mirror.ts';
import { SallyportError } from '../model/errors.ts';
import type { Prompt, PromptAnswer } from '../model/host.ts';
import { type ForwardView, linkChain, type Snapshot } from '../model/snapshot.ts';
import { safeText } from '../present/sanitize.ts';
import { type Context, canAsk } from './context.ts';
import { ask, confirm } from './terminal.ts';

const lateMs = 1000;

/**
 * Waits until the forwards are no longer on their way. On a terminal, what the hosts ask meanwhile is asked here, and
 * the time a person takes does not count.
 */
export async function settle(
  context: Context,
  client: Client,
  names: readonly string[],
  timeoutMs: number,
  mayAsk: boolean,
): Promise<ForwardView[]> {
  const wait = (ms: number) => client.call('settle', { names: [...names], timeoutMs: Math.max(0, ms) });
  if (!mayAsk || !canAsk(context) || timeoutMs === 0) return wait(timeoutMs);
  const mirror = await startMirror(client);
  const answered = new Set<string>();
  try {
    for (let deadline = Date.now() + timeoutMs; ; ) {
      const stop = new AbortController();
      const asking = nextPrompt(mirror, names, answered, stop.signal);
      const views = await Promise.race([wait(deadline - Date.now()), asking.then(() => null)]);
      // The question may reach the mirror a moment after the engine has said that somebody is waited for.
      const late = views?.some(({ state }) => state === 'waiting') ? delay(lateMs, null) : null;
      const prompt = await Promise.race(views === null ? [asking] : [asking, late]);
      stop.abort();
      if (prompt === null) return views ?? wait(0);
      const asked = Date.now();
      answered.add(prompt.id);
      const gone = promptGone(mirror, prompt.id);
      const answer = await askUntil(gone, (signal) => askPrompt(context, prompt, signal));
      if (answer === null) context.stderr.write('That is not asked any more.\n');
      else await give(client, prompt, answer);
      await gone;
      deadline += Date.now() - asked;
    }
  } finally {
    mirror.stop();
  }
}

/** What a person answers; null where the question is gone before that: answered elsewhere, or the try has ended. */
async function askUntil<T>(gone: Promise<void>, question: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
  const withdrawn = new AbortController();
  void gone.then(() => withdrawn.abort());
  try {
    return await question(withdrawn.signal);
  } catch (error) {
    if (withdrawn.signal.aborted) return null;
    throw error;
  }
}

async function give(client: Client, prompt: Prompt, answer: PromptAnswer): Promise<void> {
  try {
    await client.call('answer', { prompt: prompt.id, answer: toWire(answer) });
  } catch (error) {
    // Somebody else was faster: what comes of that answer is the outcome here, too.
    if (!(error instanceof SallyportError && error.code === 'not_found')) throw error;
  }
}

const toWire = (answer: PromptAnswer) =>
  'hostKey' in answer ? answer : { answers: [...answer.answers], remember: answer.remember };

/** A question of one of the forwards' hosts, or of a host before them, that was not answered yet. */
function openPrompt(snapshot: Snapshot, names: readonly string[], answered: ReadonlySet<string>): Prompt | null {
  const links = new Set(names.flatMap((name) => linkChain(snapshot.links, snapshot.forwards[name]?.link ?? null)));
  return snapshot.prompts.find(({ id, link }) => links.has(link) && !answered.has(id)) ?? null;
}

/** The next question; never settles once the signal has come. */
function nextPrompt(
  mirror: Mirror,
  names: readonly string[],
  answered: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Prompt> {
  return new Promise((resolve) => {
    const look = () => {
      const prompt = openPrompt(mirror.current().snapshot, names, answered);
      if (prompt !== null) resolve(prompt);
    };
    signal.addEventListener('abort', mirror.subscribe(look));
    look();
  });
}

/** Resolves once the engine has taken the answer, so that the old state is not read as the outcome. */
function promptGone(mirror: Mirror, id: string): Promise<void> {
  const gone = () => mirror.current().snapshot.prompts.every((prompt) => prompt.id !== id);
  if (gone()) return Promise.resolve();
  return new Promise((resolve) => {
    const unsubscribe = mirror.subscribe(() => {
      if (!gone()) return;
      unsubscribe();
      resolve();
    });
  });
}

async function askPrompt(context: Context, prompt: Prompt, signal: AbortSignal): Promise<PromptAnswer> {
  const { stderr } = context;
  stderr.write(`${safeText(prompt.title)}\n`);
  if (prompt.instructions !== '') stderr.write(`${safeText(prompt.instructions)}\n`);
  if (prompt.kind === 'host_key') {
    if (prompt.fingerprint !== null && !prompt.title.includes(prompt.fingerprint))
      stderr.write(`${prompt.keyType ?? 'key'} fingerprint is ${prompt.fingerprint}\n`);
    for (
      let label = 'Trust this key? (yes/no/fingerprint) ';
      ;
      label = "Please type 'yes', 'no' or the fingerprint: "
    ) {
      const typed = (await ask(context, label, { signal })).trim();
      if (/^(yes|no)$/i.test(typed)) return { hostKey: typed.toLowerCase() };
      if (typed !== '' && typed === prompt.fingerprint) return { hostKey: typed };
    }
  }
  const answers: string[] = [];
  for (const { label, echo } of prompt.fields) {
    answers.push(await ask(context, `${safeText(label).replace(/:?\s*$/, '')}: `, { echo, signal }));
  }
  // A one-time code is worth nothing twice.
  const keep = prompt.kind !== 'question' && (await confirm(context, 'Keep it until the engine stops?', { signal }));
  return { answers, remember: keep ? 'engine' : 'once' };
}
