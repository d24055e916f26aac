// The system's ssh as a carrier: a control master holds the connection, and takes forwards as they are needed.
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import type { Listen, Target } from '../../../model/endpoint.ts';
import { SallyportError } from '../../../model/errors.ts';
import type { LinkSpec, PromptAnswer } from '../../../model/host.ts';
import { optionText } from '../../../ssh/option-values.ts';
import { sshEnvironment } from '../../../ssh/resolve.ts';
import type { FarListener, Origin } from '../carrier.ts';
import type { LinkContext, LinkFactory, ManagedLink } from '../link-context.ts';
import { type Attempt, type Connection, LinkKeeper } from '../reconnect.ts';
import { Asker } from '../ssh2/asker.ts';
import { askpassEnvironment } from './askpass-program.ts';
import { AskpassServer } from './askpass-server.ts';
import { controlOf } from './control.ts';
import { Dialler } from './dialler.ts';
import { FarListeners } from './far-listeners.ts';
import { farSocketRemover } from './far-socket-file.ts';
import { Master, type Peer } from './master.ts';
import { masterArgs } from './master-args.ts';
import { type KeptAnswers, Questions } from './questions.ts';
import { createRuntimeDir, runtimeFiles } from './runtime-dir.ts';

interface OpensshConnection extends Connection {
  readonly dialler: Dialler;
  readonly far: FarListeners;
}

/** How a try ends that a server cut short while a person was thinking. */
const brokenOff: ReadonlySet<string> = new Set(['handshake_failed', 'host_lost', 'host_timeout', 'proxy_failed']);

/** A factory whose links share what was answered "until the engine stops". */
function opensshLinkFactory(kept: KeptAnswers): LinkFactory {
  return (spec, context) => new OpensshLink(spec, context, kept);
}

/** A kept connection through the system's ssh. */
export const createOpensshLink: LinkFactory = opensshLinkFactory(new Map());

class OpensshLink implements ManagedLink {
  readonly id: string;
  private readonly spec: LinkSpec;
  private readonly context: LinkContext;
  private readonly asker: Asker;
  private readonly questions: Questions;
  private readonly keeper: LinkKeeper<OpensshConnection>;
  /** Far listeners the last connections went down with, and when. */
  private readonly formerly = new Map<string, number>();
  /** Tries that are being cleared away. */
  private readonly leaving = new Set<Promise<void>>();

  constructor(spec: LinkSpec, context: LinkContext, kept: KeptAnswers) {
    this.id = spec.id;
    this.spec = spec;
    this.context = context;
    this.asker = new Asker(spec, context, spec.options.batchmode === 'yes');
    this.questions = new Questions(this.asker, kept);
    this.keeper = new LinkKeeper({
      connect: (attempt) => this.connect(attempt),
      report: (status) => context.report(status),
    });
  }

  async dial(target: Target, _origin: Origin, signal: AbortSignal): Promise<Duplex> {
    const { dialler } = await this.keeper.ready(signal);
    return dialler.dial(target, signal);
  }

  async listen(at: Listen, accept: (stream: Duplex, peer: Origin) => void, signal: AbortSignal): Promise<FarListener> {
    const { far } = await this.keeper.ready(signal);
    return far.listen(at, accept, signal);
  }

  get up(): boolean {
    return this.keeper.up !== null;
  }

  hold(): () => void {
    return this.keeper.hold();
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.keeper.ready(signal);
  }

  onUp(listener: (up: boolean) => void): () => void {
    return this.keeper.onUp(listener);
  }

  retry(): void {
    this.keeper.retry();
  }

  answer(promptId: string, answer: PromptAnswer): void {
    this.asker.answer(promptId, answer);
  }

  async stop(): Promise<void> {
    await this.keeper.stop();
    await Promise.all(this.leaving);
    this.questions.forget();
  }

  /** Goes on at once where a person's answer came too late: a server waits for a login only so long. */
  private async connect(attempt: Attempt): Promise<OpensshConnection> {
    const { ssh } = sshEnvironment();
    if (ssh === null) {
      throw new SallyportError('carrier_missing', 'there is no ssh on this machine', 'install the OpenSSH client');
    }
    for (;;) {
      try {
        return await this.tryOnce(ssh, attempt);
      } catch (error) {
        await this.asker.settled();
        attempt.signal.throwIfAborted();
        const brokeOff = error instanceof SallyportError && brokenOff.has(error.code);
        if (!brokeOff || !this.questions.carryOver()) throw this.namingJump(error);
      }
    }
  }

  /** ssh runs its jump as a proxy of its own, and its words don't tell the two apart. */
  private namingJump(error: unknown): unknown {
    const jump = optionText(this.spec.options, 'proxyjump').split(',').at(-1);
    if (!jump || !(error instanceof SallyportError) || error.code !== 'proxy_failed') return error;
    const hint = `sallyport host ${jump} shows how it is reached`;
    return new SallyportError('jump_failed', `the jump host ${jump} ended before the host answered`, hint);
  }

  private async tryOnce(ssh: string, attempt: Attempt): Promise<OpensshConnection> {
    this.questions.begin();
    const dir = await createRuntimeDir();
    const questionsPath = path.join(dir, runtimeFiles.questions);
    const controlPath = path.join(dir, runtimeFiles.control);
    let master: Master | null = null;
    let askpass: AskpassServer | null = null;
    const clear = async () => {
      await master?.stop();
      askpass?.stop();
      await rm(dir, { recursive: true, force: true });
    };
    try {
      // Once connected ssh has nothing left to ask that a forward needs (UpdateHostKeys may want to).
      let connected = false;
      askpass = await AskpassServer.start(questionsPath, async (request, gone) =>
        connected ? null : this.questions.reply(request, attempt, gone),
      );
      master = new Master({
        ssh,
        args: masterArgs(this.spec, this.context.timings(), controlPath),
        controlPath,
        env: askpassEnvironment(questionsPath, process.env),
        asking: () => this.asker.asking,
      });
      const peer = await master.ready(attempt.signal);
      connected = true;
      return this.connected(master, peer, { ssh, dir, controlPath, clear });
    } catch (error) {
      await this.leave(clear());
      throw error;
    }
  }

  private connected(
    master: Master,
    peer: Peer,
    place: { readonly ssh: string; readonly dir: string; readonly controlPath: string; clear(): Promise<void> },
  ): OpensshConnection {
    const shared = {
      dir: place.dir,
      control: controlOf(place.ssh, place.controlPath),
      alive: () => master.alive,
      checkAlive: () => master.checkAlive(),
    };
    const dialler = new Dialler({ ...shared, confirms: this.spec.options.logverbose !== undefined });
    const far = new FarListeners({
      ...shared,
      remove: farSocketRemover(place.ssh, place.controlPath),
      isDead: (file) => dialler.isDead(file),
      formerly: this.formerly,
    });
    master.onLog((event) => {
      dialler.onLog(event);
      far.onLog(event);
    });
    const lost = master.ended.then((error) => {
      for (const name of far.held) this.formerly.set(name, Date.now());
      dialler.lost();
      far.lost();
      void this.leave(place.clear());
      return error;
    });
    return {
      peer,
      lost,
      dialler,
      far,
      close: () =>
        void this.leave(
          master
            .stop()
            .then(() => lost)
            .then(() => {}),
        ),
    };
  }

  private leave(going: Promise<void>): Promise<void> {
    const done = going.catch(() => {}).finally(() => this.leaving.delete(done));
    this.leaving.add(done);
    return done;
  }
}
