// What people answered, in memory only.
import type { ParsedKey } from 'ssh2';

/** Answers and unlocked keys, by what they are for. Nothing in it is ever written or logged. */
export class Secrets {
  private readonly answers = new Map<string, readonly string[]>();
  private readonly keys = new Map<string, { text: string; key: ParsedKey }>();

  answer(purpose: string): readonly string[] | undefined {
    return this.answers.get(purpose);
  }

  setAnswer(purpose: string, answers: readonly string[]): void {
    this.answers.set(purpose, answers);
  }

  dropAnswer(purpose: string): void {
    this.answers.delete(purpose);
  }

  /** @param text the file as it is now: another key under the same name is another key */
  key(file: string, text: string): ParsedKey | undefined {
    const entry = this.keys.get(file);
    return entry?.text === text ? entry.key : undefined;
  }

  setKey(file: string, text: string, key: ParsedKey): void {
    this.keys.set(file, { text, key });
  }

  clear(): void {
    this.answers.clear();
    this.keys.clear();
  }
}

/** Secrets as one link sees them: those for this time, and those to keep until the engine stops. */
export class SecretStore {
  private readonly engine: Secrets;
  private readonly once = new Secrets();

  constructor(engine: Secrets) {
    this.engine = engine;
  }

  answer(purpose: string): readonly string[] | undefined {
    return this.once.answer(purpose) ?? this.engine.answer(purpose);
  }

  setAnswer(purpose: string, answers: readonly string[], remember: 'once' | 'engine'): void {
    (remember === 'engine' ? this.engine : this.once).setAnswer(purpose, answers);
  }

  /** It was wrong. */
  dropAnswer(purpose: string): void {
    this.once.dropAnswer(purpose);
    this.engine.dropAnswer(purpose);
  }

  key(file: string, text: string): ParsedKey | undefined {
    return this.once.key(file, text) ?? this.engine.key(file, text);
  }

  setKey(file: string, text: string, key: ParsedKey, remember: 'once' | 'engine'): void {
    (remember === 'engine' ? this.engine : this.once).setKey(file, text, key);
  }

  /** The connection is up: what was for this time has served. */
  forgetOnce(): void {
    this.once.clear();
  }
}
