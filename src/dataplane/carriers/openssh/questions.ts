import type { Attempt } from '../reconnect.ts';
import type { Asker } from '../ssh2/asker.ts';
import type { AskpassRequest } from './askpass-server.ts';
import { type Asked, readPrompt } from './prompt-text.ts';

/** What is to be remembered as long as the engine runs, by the text of the question; in memory only. */
export type KeptAnswers = Map<string, string>;

/** Answers ssh's questions: from memory where one was kept, else by asking a person. Nothing here is ever written. */
export class Questions {
  private readonly asker: Asker;
  private readonly kept: KeptAnswers;
  /** What a person gave in this try. Null: nothing. */
  private readonly given = new Map<string, string | null>();
  /** What was carried over into this try. */
  private readonly reused = new Map<string, string | null>();
  /** Given in a try the server had already given up: for the next one. */
  private readonly late = new Map<string, string | null>();
  /** Asked already in this try: to be asked again means the answer was wrong. */
  private readonly asked = new Set<string>();
  private hostKey: Asked | null = null;

  constructor(asker: Asker, kept: KeptAnswers) {
    this.asker = asker;
    this.kept = kept;
  }

  /** A new ssh starts. */
  begin(): void {
    this.asked.clear();
    this.given.clear();
    this.reused.clear();
    this.hostKey = null;
  }

  /**
   * The try failed for a reason that has nothing to do with the answers: they serve once more.
   * @returns whether a person gave any just now, which makes another try worth while at once
   */
  carryOver(): boolean {
    for (const [text, answer] of [...this.reused, ...this.given]) this.late.set(text, answer);
    return this.given.size > 0;
  }

  /** @param gone aborted when ssh no longer waits */
  async reply({ text, form }: AskpassRequest, attempt: Attempt, gone: AbortSignal): Promise<string | null> {
    const question = readPrompt(text, this.hostKey);
    if (form === 'none') return this.show(question, attempt, gone);
    if (question.kind === 'host_key') this.hostKey = question;
    const again = this.asked.has(text);
    this.asked.add(text);
    const late = this.late.get(text);
    this.late.delete(text);
    if (again) {
      this.kept.delete(text);
      this.reused.delete(text);
    } else if (late !== undefined) {
      this.reused.set(text, late);
      return late;
    }
    const kept = this.kept.get(text);
    if (kept !== undefined) return kept;

    const { answers, remember } = await this.asker.ask(question, attempt);
    const answer = answers === null ? null : (answers[0] ?? '').replace(/[\r\n]/g, '');
    // A code from a question serves once; asking for it again is the point of it.
    const lasting = question.kind === 'passphrase' || question.kind === 'password';
    if (answer !== null && remember === 'engine' && lasting) this.kept.set(text, answer);
    this.given.set(text, answer);
    return answer;
  }

  /** What was for this link alone. */
  forget(): void {
    this.given.clear();
    this.reused.clear();
    this.late.clear();
  }

  /** Something to be done elsewhere, as touching a security key. */
  private async show(question: Asked, attempt: Attempt, gone: AbortSignal): Promise<null> {
    attempt.waiting({ code: 'code_needed', message: question.title, hint: 'touch the security key' }, null);
    await new Promise<void>((resolve) => {
      gone.addEventListener('abort', () => resolve(), { once: true });
      attempt.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    attempt.resumed();
    return null;
  }
}
