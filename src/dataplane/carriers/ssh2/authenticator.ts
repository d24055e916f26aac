// Logging in, in ssh's order: methods by PreferredAuthentications, keys by identities.ts, each once.
import type { AnyAuthMethod, KeyboardInteractiveAuthMethod, ParsedKey } from 'ssh2';
import { SallyportError } from '../../../model/errors.ts';
import type { ResolvedOptions } from '../../../model/host.ts';
import { optionNames, optionNumber, optionOn } from '../../../ssh/option-values.ts';
import { plainText } from '../../../ssh/plain-text.ts';
import type { TokenValues } from '../../../ssh/tokens.ts';
import type { LinkContext } from '../link-context.ts';
import type { Attempt } from '../reconnect.ts';
import type { Asker } from './asker.ts';
import { acceptedAlgorithms, type Candidate, findCandidates } from './identities.ts';
import { OneKeyAgent } from './one-key-agent.ts';
import { openPrivateKey } from './private-key.ts';
import type { SecretStore } from './secrets.ts';

export interface AuthParts {
  readonly dest: string;
  readonly options: ResolvedOptions;
  /** The arguments ssh(1) would be given. */
  readonly args: readonly string[];
  readonly values: TokenValues;
  readonly secrets: SecretStore;
  readonly asker: Asker;
  readonly note: LinkContext['note'];
  readonly attempt: Attempt;
}

type Method = AnyAuthMethod;
type Tries = AsyncGenerator<Method, void, void>;

const methodOrder = ['publickey', 'keyboard-interactive', 'password'];

/** One log-in on one connection. */
export class Authenticator {
  private readonly parts: AuthParts;
  private readonly username: string;
  private readonly promptLimit: number;
  private readonly sources: Record<string, Tries>;
  private readonly exhausted = new Set<string>();
  private readonly problems: SallyportError[] = [];
  /** What the server refused, as told to people. */
  private readonly refused: string[] = [];
  private started = false;
  private unanswered: SallyportError | null = null;
  private offered: string[] = [];

  constructor(parts: AuthParts) {
    this.parts = parts;
    this.username = parts.values.user;
    this.promptLimit = optionNumber(parts.options, 'numberofpasswordprompts', 3);
    this.sources = {
      publickey: this.keys(),
      'keyboard-interactive': this.questions(),
      password: this.passwords(),
    };
  }

  /** What to try next, given the methods the server goes on with; null when there is nothing left. */
  async next(methodsLeft: readonly string[] | null): Promise<Method | null> {
    if (!this.started) {
      this.started = true;
      return { type: 'none', username: this.username };
    }
    const offered = methodsLeft ?? [];
    this.offered = [...offered];
    for (const method of this.preferred()) {
      if (!offered.includes(method) || this.exhausted.has(method)) continue;
      const step = await (this.sources[method] as Tries).next();
      if (!step.done) return step.value;
      this.exhausted.add(method);
    }
    return null;
  }

  /** What a person would not or could not answer; asking the same again helps nobody. */
  get abandoned(): SallyportError | null {
    return this.unanswered;
  }

  /** Why nothing is left to try. */
  failure(): SallyportError {
    const { dest } = this.parts;
    const [wrong] = this.problems.filter((problem) => problem.code === 'auth_denied');
    const [unreadable] = this.problems.filter((problem) => problem.code === 'key_unreadable');
    const [agent] = this.problems.filter((problem) => problem.code === 'agent_unreachable');
    if (wrong) return wrong;
    if (unreadable) return unreadable;
    if (agent && this.refused.length === 0) return agent;
    const who = `${this.username}@${this.parts.values.hostname}`;
    const offered = this.offered.map((method) => plainText(method, 40)).join(', ') || 'nothing';
    const tried = this.refused.length === 0 ? 'there was nothing to offer it' : `refused: ${this.refused.join(', ')}`;
    return new SallyportError(
      'auth_denied',
      `${who} may not log in: ${tried}; the server takes ${offered}`,
      `see what ssh -v ${dest} says; the key must be in the server's authorized_keys`,
    );
  }

  private preferred(): string[] {
    const { options } = this.parts;
    const enabled: Record<string, boolean> = {
      publickey: optionOn(options, 'pubkeyauthentication', true),
      'keyboard-interactive': optionOn(options, 'kbdinteractiveauthentication', true),
      password: optionOn(options, 'passwordauthentication', true),
    };
    const preferred = optionNames(options, 'preferredauthentications');
    return (preferred.length === 0 ? methodOrder : preferred).filter((method) => enabled[method] === true);
  }

  private async *keys(): Tries {
    const { options, args, values, note } = this.parts;
    const { list, problems } = await findCandidates(options, args, values, note);
    this.problems.push(...problems);
    const seen = new Set<string>();
    for (const candidate of list) {
      const key = candidate.key ?? (candidate.from === 'file' ? await this.unlock(candidate) : null);
      if (key === null) continue;
      const name = key.getPublicSSH().toString('base64');
      const accepted = acceptedAlgorithms(options, key.type);
      if (seen.has(name) || accepted.length === 0) continue;
      seen.add(name);
      const agent = new OneKeyAgent(key, async (data, hash) => {
        if (key.type === 'ssh-rsa' && !accepted.includes(rsaAlgorithm(hash))) {
          throw new SallyportError('auth_denied', `the server wants ${rsaAlgorithm(hash)}, which is not accepted here`);
        }
        if (candidate.from === 'agent') return candidate.agent.sign(key, data, hash);
        const secret = await this.unlock(candidate);
        if (secret === null) throw new SallyportError('auth_denied', `${candidate.label} was not unlocked`);
        const signature = secret.sign(data, hash) as Buffer | Error;
        if (signature instanceof Error) throw signature;
        return signature;
      });
      yield { type: 'agent', username: this.username, agent };
      this.refused.push(candidate.label);
    }
  }

  /** The private key of a file, asking for its passphrase; null where there is none to be had. */
  private async unlock(candidate: Extract<Candidate, { from: 'file' }>): Promise<ParsedKey | null> {
    const { secrets, asker, attempt, note } = this.parts;
    const { file, text, encrypted } = candidate.identity;
    const kept = secrets.key(file, text);
    if (kept !== undefined) return kept;
    if (!encrypted) {
      const key = openPrivateKey(text);
      if (key !== null && !(key instanceof Error)) return key;
      const message = `the key ${file} cannot be used: ${plainText(key?.message ?? 'it is damaged')}`;
      note('warn', 'key_unreadable', message);
      this.problems.push(new SallyportError('key_unreadable', message, 'name another IdentityFile'));
      return null;
    }
    for (let tries = 0; tries < this.promptLimit; tries++) {
      const { answers, remember } = await asker.ask(
        {
          kind: 'passphrase',
          title: `${tries === 0 ? '' : 'wrong passphrase; '}passphrase for the key ${file}`,
          instructions: '',
          fields: [{ label: 'passphrase', echo: false }],
        },
        attempt,
      );
      const passphrase = answers?.[0] ?? '';
      if (passphrase === '') {
        this.abandon(`the key ${file} needs its passphrase, and none was given`);
        return null;
      }
      const key = openPrivateKey(text, passphrase);
      if (key instanceof Error) {
        const message = `the key ${file} cannot be used: ${plainText(key.message)}`;
        this.problems.push(new SallyportError('key_unreadable', message, 'name another IdentityFile'));
        return null;
      }
      if (key !== null) {
        secrets.setKey(file, text, key, remember);
        return key;
      }
    }
    this.abandon(`wrong passphrase for the key ${file}, ${this.promptLimit} times`);
    return null;
  }

  private abandon(message: string): void {
    const problem = new SallyportError('auth_denied', message, 'bring it up again to be asked again');
    this.unanswered ??= problem;
    this.problems.push(problem);
  }

  private async *passwords(): Tries {
    const { asker, attempt, secrets, dest, values } = this.parts;
    const purpose = `password ${this.username}@${values.hostname}:${values.port}`;
    const kept = secrets.answer(purpose)?.[0];
    if (kept !== undefined) {
      yield { type: 'password', username: this.username, password: kept };
      secrets.dropAnswer(purpose);
    }
    for (let tries = 0; tries < this.promptLimit; tries++) {
      const { answers, remember } = await asker.ask(
        {
          kind: 'password',
          title: `${tries === 0 ? '' : 'permission denied; '}password of ${this.username} on ${dest}`,
          instructions: '',
          fields: [{ label: 'password', echo: false }],
        },
        attempt,
      );
      if (answers === null) {
        if (asker.allowed) this.abandon(`${dest} asks for the password of ${this.username}, and none was given`);
        return;
      }
      secrets.setAnswer(purpose, answers, remember);
      yield { type: 'password', username: this.username, password: answers[0] ?? '' };
      secrets.dropAnswer(purpose);
      this.refused.push('password');
    }
  }

  private async *questions(): Tries {
    for (let tries = 0; tries < this.promptLimit; tries++) {
      if (!this.parts.asker.allowed) return;
      const round = { gaveUp: false, asked: false, used: [] as string[] };
      yield this.questionRound(round, tries);
      for (const purpose of round.used) this.parts.secrets.dropAnswer(purpose);
      if (round.gaveUp) return;
      // The server refused before it asked anything: asking to be asked again gets nowhere.
      if (!round.asked) return;
      this.refused.push('keyboard-interactive');
    }
  }

  private questionRound(
    round: { gaveUp: boolean; asked: boolean; used: string[] },
    tries: number,
  ): KeyboardInteractiveAuthMethod {
    const { asker, attempt, secrets, dest, values } = this.parts;
    return {
      type: 'keyboard-interactive',
      username: this.username,
      prompt: (name, instructions, _language, prompts, finish) => {
        round.asked = true;
        const fields = prompts
          .slice(0, 16)
          .map(({ prompt, echo }) => ({ label: plainText(prompt, 120), echo: echo === true }));
        const labels = fields.map((field) => field.label).join(' ');
        const purpose = `question ${this.username}@${values.hostname}:${values.port} ${labels}`;
        const reply = (answers: readonly string[]) => {
          try {
            finish(prompts.map((_, index) => answers[index] ?? ''));
          } catch {
            // The connection died while the person thought; the answer is kept for the next.
          }
        };
        const kept = secrets.answer(purpose);
        if (kept !== undefined && !round.used.includes(purpose)) {
          round.used.push(purpose);
          reply(kept);
          return;
        }
        const password = fields.length === 1 && fields[0]?.echo === false && /pass(word|phrase)?\b/i.test(labels);
        asker
          .ask(
            {
              kind: password ? 'password' : 'question',
              title: `${tries === 0 ? '' : 'permission denied; '}${dest} asks ${this.username}: ${labels}`,
              instructions: [name, instructions]
                .map((text) => plainText(text ?? '', 500))
                .filter(Boolean)
                .join(': '),
              fields,
            },
            attempt,
          )
          .then(
            ({ answers, remember }) => {
              if (answers === null) {
                round.gaveUp = true;
                this.abandon(`${dest} asks ${this.username} a question, and no answer was given`);
                reply([]);
                return;
              }
              round.used.push(purpose);
              secrets.setAnswer(purpose, answers, remember);
              reply(answers);
            },
            // Aborted: nobody waits for it any more.
            () => {},
          );
      },
    };
  }
}

function rsaAlgorithm(hash: string | undefined): string {
  return hash === 'sha256' ? 'rsa-sha2-256' : hash === 'sha512' ? 'rsa-sha2-512' : 'ssh-rsa';
}
