// Asking a person, by prompt or by SSH_ASKPASS, and putting the link into `waiting` meanwhile.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Failure, FailureCode } from '../../../model/errors.ts';
import type { LinkSpec, Prompt, PromptAnswer } from '../../../model/host.ts';
import { plainText } from '../../../ssh/plain-text.ts';
import type { LinkContext } from '../link-context.ts';
import type { Attempt } from '../reconnect.ts';

export interface Question extends Pick<Prompt, 'kind' | 'title' | 'instructions' | 'fields'> {
  readonly fingerprint?: string;
  readonly keyType?: string;
}

/** What was answered; `answers` null where the person (or nobody, with BatchMode) gave none. */
export interface Answer {
  readonly answers: readonly string[] | null;
  readonly remember: 'once' | 'engine';
}

const codes: Record<Prompt['kind'], FailureCode> = {
  passphrase: 'passphrase_needed',
  password: 'password_needed',
  question: 'code_needed',
  host_key: 'host_key_unknown',
};

/** Long enough for a person at the program's window. */
const askpassMs = 300_000;

export class Asker {
  private readonly spec: LinkSpec;
  private readonly context: LinkContext;
  private readonly batch: boolean;
  private readonly env: NodeJS.ProcessEnv;
  private readonly open = new Map<string, { prompt: Prompt; resolve: (answer: PromptAnswer) => void }>();
  private busy = 0;
  private idle: Array<() => void> = [];

  /** @param batch BatchMode: nobody is ever asked */
  constructor(spec: LinkSpec, context: LinkContext, batch: boolean, env = process.env) {
    this.spec = spec;
    this.context = context;
    this.batch = batch;
    this.env = env;
  }

  /** Whether somebody is being asked right now. */
  get asking(): boolean {
    return this.busy > 0;
  }

  get allowed(): boolean {
    return !this.batch;
  }

  /** Resolves once nobody is being asked, and no next question (after a wrong passphrase, say) follows at once. */
  async settled(): Promise<void> {
    while (this.busy > 0) {
      await new Promise<void>((resolve) => this.idle.push(resolve));
      await setImmediate();
    }
  }

  /** @throws the attempt's signal's reason */
  async ask(question: Question, attempt: Attempt): Promise<Answer> {
    if (this.batch) return { answers: null, remember: 'once' };
    this.busy++;
    try {
      const program = this.env.SSH_ASKPASS;
      const require = this.env.SSH_ASKPASS_REQUIRE;
      if (program && (require === 'force' || require === 'prefer')) {
        const answers = await this.askProgram(program, question, attempt.signal);
        if (answers !== undefined || require === 'force') return { answers: answers ?? null, remember: 'once' };
      }
      return await this.askPerson(question, attempt);
    } finally {
      this.busy--;
      if (this.busy === 0) {
        const idle = this.idle;
        this.idle = [];
        for (const resolve of idle) resolve();
      }
    }
  }

  /** An answer from outside; false where no such prompt is open. */
  answer(id: string, answer: PromptAnswer): boolean {
    const entry = this.open.get(id);
    if (entry === undefined) return false;
    if ('hostKey' in answer !== (entry.prompt.kind === 'host_key')) return false;
    entry.resolve(answer);
    return true;
  }

  private async askPerson(question: Question, attempt: Attempt): Promise<Answer> {
    const { signal } = attempt;
    signal.throwIfAborted();
    const prompt: Prompt = {
      id: randomUUID(),
      link: this.spec.id,
      host: plainText(this.spec.dest),
      kind: question.kind,
      title: plainText(question.title),
      instructions: plainText(question.instructions, 1000),
      fields: question.fields.map(({ label, echo }) => ({ label: plainText(label), echo })),
      fingerprint: question.fingerprint ?? null,
      keyType: question.keyType ?? null,
      since: new Date().toISOString(),
    };
    let onAbort = () => {};
    try {
      const answer = await new Promise<PromptAnswer>((resolve, reject) => {
        this.open.set(prompt.id, { prompt, resolve });
        onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        this.context.prompt(prompt);
        attempt.waiting(this.failure(prompt), prompt.id);
      });
      attempt.resumed();
      if ('hostKey' in answer) return { answers: [answer.hostKey.trim()], remember: 'once' };
      return { answers: answer.answers.length === 0 ? null : answer.answers, remember: answer.remember };
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.open.delete(prompt.id);
      this.context.promptGone(prompt.id);
    }
  }

  private failure(prompt: Prompt): Failure {
    return {
      code: codes[prompt.kind],
      message: prompt.title,
      hint: 'answer in the dashboard, or run sallyport up NAME in a terminal',
    };
  }

  /** One run of the program for each field, as ssh does. @returns undefined where it could not be run or gave up */
  private async askProgram(
    program: string,
    question: Question,
    signal: AbortSignal,
  ): Promise<readonly string[] | undefined> {
    const labels =
      question.kind === 'host_key'
        ? [`${question.title} (yes/no/[fingerprint])? `]
        : question.fields.map((field) => `${question.title}\n${field.label}`);
    const answers: string[] = [];
    for (const label of labels) {
      const answer = await new Promise<string | undefined>((resolve) => {
        execFile(
          program,
          [label],
          { signal, timeout: askpassMs, maxBuffer: 64 << 10, env: this.env },
          (error, stdout) => {
            resolve(error ? undefined : stdout.replace(/\r?\n$/, ''));
          },
        );
      });
      signal.throwIfAborted();
      if (answer === undefined) return undefined;
      answers.push(answer);
    }
    return answers;
  }
}
