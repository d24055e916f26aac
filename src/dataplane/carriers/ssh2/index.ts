// The embedded SSH carrier's door.
import type { Duplex } from 'node:stream';
import type { Listen, Target } from '../../../model/endpoint.ts';
import type { LinkSpec, PromptAnswer } from '../../../model/host.ts';
import { optionOn } from '../../../ssh/option-values.ts';
import type { FarListener, Origin } from '../carrier.ts';
import type { LinkContext, LinkFactory, ManagedLink } from '../link-context.ts';
import { LinkKeeper } from '../reconnect.ts';
import { Asker } from './asker.ts';
import { connectSsh2 } from './connect.ts';
import type { Ssh2Connection } from './connection.ts';
import { SecretStore, Secrets } from './secrets.ts';
import { type LinkSettings, linkSettings } from './settings.ts';

class Ssh2Link implements ManagedLink {
  readonly id: string;
  private readonly context: LinkContext;
  private readonly keeper: LinkKeeper<Ssh2Connection>;
  private readonly asker: Asker;
  private readonly unwatchJump: () => void;

  constructor(spec: LinkSpec, outer: LinkContext, engineSecrets: Secrets) {
    const context = tellingOnce(outer);
    this.id = spec.id;
    this.context = context;
    const secrets = new SecretStore(engineSecrets);
    const acceptedKeys = new Set<string>();
    const earlierListeners = new Set<string>();
    let settings: LinkSettings | null = null;
    this.asker = new Asker(spec, context, optionOn(spec.options, 'batchmode', false));
    this.keeper = new LinkKeeper<Ssh2Connection>({
      report: (status) => context.report(status),
      connect: (attempt) => {
        // Inside the try, so that a bad option fails the link and not whoever made it.
        settings ??= linkSettings(spec);
        return connectSsh2(
          {
            settings,
            context,
            asker: this.asker,
            secrets,
            acceptedKeys,
            earlierListeners,
            onRtt: (rttMs) => this.keeper.measured(rttMs),
          },
          attempt,
        );
      },
    });
    // No use in waiting out a pause once the way is free.
    this.unwatchJump =
      context.via?.onUp((up) => {
        const { status } = this.keeper;
        if (up && (status.is === 'retrying' || (status.is === 'failed' && status.error.code === 'jump_failed'))) {
          this.keeper.retry();
        }
      }) ?? (() => {});
  }

  get up(): boolean {
    return this.keeper.up !== null;
  }

  hold(): () => void {
    const releaseVia = this.context.via?.hold();
    const release = this.keeper.hold();
    return () => {
      release();
      releaseVia?.();
    };
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.keeper.ready(signal);
  }

  onUp(listener: (up: boolean) => void): () => void {
    return this.keeper.onUp(listener);
  }

  async dial(target: Target, origin: Origin, signal: AbortSignal): Promise<Duplex> {
    const connection = this.keeper.up ?? (await this.keeper.ready(signal));
    return connection.dial(target, origin, signal);
  }

  async listen(at: Listen, accept: (stream: Duplex, peer: Origin) => void, signal: AbortSignal): Promise<FarListener> {
    const connection = this.keeper.up ?? (await this.keeper.ready(signal));
    return connection.listen(at, accept, signal);
  }

  retry(): void {
    this.keeper.retry();
  }

  answer(promptId: string, answer: PromptAnswer): void {
    this.asker.answer(promptId, answer);
  }

  async stop(): Promise<void> {
    this.unwatchJump();
    await this.keeper.stop();
  }
}

/** Reconnecting says the same of the same keys each time; the log needs it once. */
function tellingOnce(context: LinkContext): LinkContext {
  const told = new Set<string>();
  return {
    timings: () => context.timings(),
    via: context.via,
    report: (status) => context.report(status),
    prompt: (prompt) => context.prompt(prompt),
    promptGone: (id) => context.promptGone(id),
    note: (level, code, message) => {
      const text = `${code} ${message}`;
      if (told.has(text)) return;
      if (told.size >= 100) told.clear();
      told.add(text);
      context.note(level, code, message);
    },
  };
}

/** A factory whose links share what was answered "until the engine stops". */
export function ssh2LinkFactory(engineSecrets: Secrets): LinkFactory {
  return (spec, context) => new Ssh2Link(spec, context, engineSecrets);
}

/** Makes a link over the embedded SSH client. */
export const createSsh2Link: LinkFactory = ssh2LinkFactory(new Secrets());
