import { isDeepStrictEqual } from 'node:util';
import type { LinkSpec, PromptAnswer, SshCarrier } from '../model/host.ts';
import type { LinkFactory, ManagedLink } from './carriers/link-context.ts';
import { type LinkTimings, usualTimings, type WorkerEvent } from './messages.ts';

interface Kept {
  readonly spec: LinkSpec;
  readonly link: ManagedLink;
}

/** The SSH connections of a worker, by id. */
export class Links {
  private readonly factories: Readonly<Record<SshCarrier, LinkFactory>>;
  private readonly send: (event: WorkerEvent) => void;
  private readonly kept = new Map<string, Kept>();
  private readonly prompts = new Map<string, ManagedLink>();
  private timings = usualTimings;

  constructor(factories: Readonly<Record<SshCarrier, LinkFactory>>, send: (event: WorkerEvent) => void) {
    this.factories = factories;
    this.send = send;
  }

  /** For all links, from their next connection on. */
  setTimings(timings: LinkTimings): void {
    this.timings = timings;
  }

  /**
   * Defines a link. A jump host's link must have been defined before.
   * @returns the link it takes the place of, to be stopped once nobody uses it; null when there was none or nothing changed
   */
  define(spec: LinkSpec): ManagedLink | null {
    const known = this.kept.get(spec.id);
    if (known !== undefined && isDeepStrictEqual(known.spec, spec)) return null;
    const { id } = spec;
    let link: ManagedLink | null = null;
    // The one that was replaced still ends its connection, but no longer speaks for the id.
    const current = () => link === null || this.kept.get(id)?.link === link;
    link = this.factories[spec.carrier](spec, {
      timings: () => this.timings,
      via: spec.via === null ? null : (this.kept.get(spec.via)?.link ?? null),
      report: (status) => {
        if (current()) this.send({ on: 'link', id, status });
      },
      prompt: (prompt) => {
        if (link !== null) this.prompts.set(prompt.id, link);
        this.send({ on: 'prompt', prompt });
      },
      promptGone: (prompt) => {
        this.prompts.delete(prompt);
        this.send({ on: 'prompt_gone', prompt });
      },
      note: (level, code, message) => this.send({ on: 'note', level, forward: null, code, message }),
    });
    this.kept.set(id, { spec, link });
    return known?.link ?? null;
  }

  get(id: string): ManagedLink | null {
    return this.kept.get(id)?.link ?? null;
  }

  answer(prompt: string, answer: PromptAnswer): void {
    this.prompts.get(prompt)?.answer(prompt, answer);
  }

  /** Takes them all down, jump hosts last. */
  async stop(): Promise<void> {
    const all = [...this.kept.values()].map(({ link }) => link).reverse();
    this.kept.clear();
    await Promise.allSettled(all.map((link) => link.stop()));
  }
}
