// A link under test, with everything it reports kept.
import os from 'node:os';
import type { Link } from '../../src/dataplane/carriers/carrier.ts';
import type { LinkFactory, ManagedLink } from '../../src/dataplane/carriers/link-context.ts';
import { type LinkTimings, usualTimings } from '../../src/dataplane/messages.ts';
import type { LinkSpec, Prompt, ResolvedOptions } from '../../src/model/host.ts';
import type { LinkStatus } from '../../src/model/state.ts';
import type { Sshd } from './sshd.ts';
import { until } from './until.ts';

let count = 0;

/** Options as `ssh -G` would print them for the test server. */
export function sshdOptions(sshd: Sshd, more: ResolvedOptions = {}): ResolvedOptions {
  return {
    host: 'box',
    hostname: '127.0.0.1',
    port: String(sshd.port),
    user: os.userInfo().username,
    identityfile: [sshd.key],
    identitiesonly: 'yes',
    identityagent: 'none',
    userknownhostsfile: sshd.knownHosts,
    globalknownhostsfile: 'none',
    stricthostkeychecking: 'true',
    ...more,
  };
}

export function linkSpec(options: ResolvedOptions, more: Partial<LinkSpec> = {}): LinkSpec {
  return { id: `link-${++count}`, dest: 'box', options, carrier: 'ssh2', why: 'test', via: null, args: [], ...more };
}

export class TestLink {
  readonly link: ManagedLink;
  readonly statuses: LinkStatus[] = [];
  readonly prompts: Prompt[] = [];
  readonly gone: string[] = [];
  readonly notes: { level: string; code: string; message: string }[] = [];
  readonly release: () => void;

  constructor(
    factory: LinkFactory,
    spec: LinkSpec,
    { via = null, timings = usualTimings }: { readonly via?: Link | null; readonly timings?: LinkTimings } = {},
  ) {
    this.link = factory(spec, {
      timings: () => timings,
      via,
      report: (status) => this.statuses.push(status),
      prompt: (prompt) => this.prompts.push(prompt),
      promptGone: (id) => this.gone.push(id),
      note: (level, code, message) => this.notes.push({ level, code, message }),
    });
    this.release = this.link.hold();
  }

  get status(): LinkStatus {
    return this.statuses.at(-1) ?? { is: 'idle' };
  }

  /** The states it went through, as words. */
  get words(): string[] {
    return this.statuses.map((status) => status.is).filter((word, i, all) => word !== all[i - 1]);
  }

  /** Waits for a state; gives that status. */
  reached<K extends LinkStatus['is']>(is: K): Promise<Extract<LinkStatus, { is: K }>> {
    return until(`the link to be ${is}`, () => {
      const { status } = this;
      if (status.is === is) return status as Extract<LinkStatus, { is: K }>;
      if (status.is === 'failed') throw new Error(`failed: ${status.error.code}: ${status.error.message}`);
      throw new Error(JSON.stringify(status));
    });
  }

  /** Waits for the open prompt number `n`, from 1. */
  prompted(n = 1): Promise<Prompt> {
    return until(`prompt ${n}`, () => this.prompts[n - 1]);
  }
}
