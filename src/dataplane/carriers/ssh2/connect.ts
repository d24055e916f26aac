// One try at a connection: transport, handshake, host key, log-in.
import ssh2 from 'ssh2';
import { SallyportError } from '../../../model/errors.ts';
import { blobType, type KnownHost } from '../../../ssh/known-hosts.ts';
import { plainText } from '../../../ssh/plain-text.ts';
import type { LinkContext } from '../link-context.ts';
import type { Attempt } from '../reconnect.ts';
import { chooseAlgorithms } from './algorithms.ts';
import type { Asker } from './asker.ts';
import { Authenticator } from './authenticator.ts';
import { Ssh2Connection } from './connection.ts';
import { clientFailure, type Phase } from './failures.ts';
import { checkHostKey } from './host-check.ts';
import { gateIdent } from './ident-gate.ts';
import { internals } from './internals.ts';
import type { SecretStore } from './secrets.ts';
import type { LinkSettings } from './settings.ts';
import { openTransport, type Transport } from './transport.ts';

export interface ConnectParts {
  readonly settings: LinkSettings;
  readonly context: LinkContext;
  readonly asker: Asker;
  readonly secrets: SecretStore;
  readonly acceptedKeys: Set<string>;
  readonly earlierListeners: Set<string>;
  readonly onRtt: (rttMs: number) => void;
}

/** A server that is silent for this long during the log-in is not thinking about it. */
const authMs = 30_000;

/** The connection ended while a person was being asked; with the answer, it is tried again at once. */
class EndedWhileAsking extends Error {}

/** @throws SallyportError, or the attempt's signal's reason */
export async function connectSsh2(parts: ConnectParts, attempt: Attempt): Promise<Ssh2Connection> {
  for (;;) {
    try {
      return await tryOnce(parts, attempt);
    } catch (error) {
      if (!(error instanceof EndedWhileAsking)) throw error;
      attempt.signal.throwIfAborted();
    }
  }
}

async function tryOnce(parts: ConnectParts, attempt: Attempt): Promise<Ssh2Connection> {
  const { settings, context } = parts;
  const { dest } = settings.spec;
  const timeout = new AbortController();
  const timer = setTimeout(() => {
    const seconds = Math.round(settings.connectMs / 1000);
    const jump = settings.jump || 'the jump host';
    timeout.abort(
      context.via === null
        ? new SallyportError(
            'host_timeout',
            `${dest} does not answer within ${seconds} s`,
            'ConnectTimeout sets how long',
          )
        : new SallyportError('jump_failed', `the jump host ${jump} is not up after ${seconds} s`),
    );
  }, settings.connectMs);
  // Before the transport opens: from then on nothing may be awaited, or its first events go unheard.
  const entries = await settings.trust.read();
  let transport: Transport;
  try {
    transport = await openTransport(settings, context.via, AbortSignal.any([attempt.signal, timeout.signal]));
  } finally {
    clearTimeout(timer);
  }
  const login = new Login(parts, attempt, transport, entries);
  return login.run();
}

/** The handshake and log-in over an open transport. */
class Login {
  private readonly parts: ConnectParts;
  private readonly attempt: Attempt;
  private readonly transport: Transport;
  private readonly entries: readonly KnownHost[];
  private readonly client = new ssh2.Client();
  private phase: Phase = 'handshake';
  private failure: SallyportError | null = null;
  private connection: Ssh2Connection | null = null;
  private watchdog: NodeJS.Timeout | undefined;
  private finish: () => void = () => {};
  private negotiated = { cipher: '', kex: '' };
  private serverVersion = '';
  private trusted: Buffer | null = null;
  private keyWasKnown = false;

  constructor(parts: ConnectParts, attempt: Attempt, transport: Transport, entries: readonly KnownHost[]) {
    this.parts = parts;
    this.entries = entries;
    this.attempt = attempt;
    this.transport = transport;
  }

  async run(): Promise<Ssh2Connection> {
    const { attempt, transport, client } = this;
    const { asker, secrets } = this.parts;
    transport.stream.setMaxListeners(0);
    const onAbort = () => this.end(attempt.signal.reason);
    attempt.signal.addEventListener('abort', onAbort, { once: true });
    try {
      await new Promise<void>((resolve) => {
        this.finish = resolve;
        try {
          this.start();
        } catch (error) {
          this.end(error);
        }
      });
    } finally {
      clearTimeout(this.watchdog);
      attempt.signal.removeEventListener('abort', onAbort);
    }
    if (this.connection !== null) {
      secrets.forgetOnce();
      return this.connection;
    }
    client.destroy();
    transport.stream.destroy();
    if (asker.asking && !attempt.signal.aborted) {
      await asker.settled();
      throw new EndedWhileAsking();
    }
    throw this.failure ?? new SallyportError('handshake_failed', 'the connection ended');
  }

  private get what(): string {
    return plainText(this.parts.settings.spec.dest);
  }

  /** Ends the try, or the connection it became. The first reason stands. */
  private end(reason: unknown): void {
    const error = reason instanceof SallyportError ? reason : clientFailure(reason, this.phase, this.what);
    if (this.connection !== null) {
      this.connection.end(error);
      return;
    }
    this.failure ??= error;
    this.finish();
  }

  private watch(ms: number, error: () => SallyportError): void {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => {
      // A person may take as long as a person takes.
      if (this.parts.asker.asking) this.watch(ms, error);
      else this.end(error());
    }, ms);
  }

  private start(): void {
    const { client, transport, attempt, entries } = this;
    const { settings, context } = this.parts;
    const { options } = settings.spec;
    const algorithms = chooseAlgorithms(options, (list) => settings.trust.order(list, entries));
    const auth = new Authenticator({ ...this.parts, ...this.authParts() });

    transport.stream.on('error', (error) => this.end(this.streamFailure(error)));
    client.on('error', (error) => {
      // A key the agent would not sign with: ssh2 goes on to the next by itself.
      if ((error as { level?: string }).level === 'agent') {
        context.note('warn', 'key_refused', `${this.what}: ${plainText(error.message)}`);
        return;
      }
      this.end(this.streamFailure(error));
    });
    client.on('close', () => this.end(this.closed()));
    client.on('end', () => this.end(this.closed()));
    client.on('handshake', ({ kex, cs }) => {
      this.negotiated = { kex, cipher: cs.cipher };
      this.serverVersion = plainText(internals(client)._remoteVer ?? '', 100);
      if (this.connection === null) this.enterAuth();
    });
    client.on('banner', (banner) => {
      const text = plainText(banner, 500);
      if (text !== '') context.note('debug', 'banner', `${this.what}: ${text}`);
    });
    client.on('change password', () => {
      this.end(
        new SallyportError(
          'auth_denied',
          `the password on ${this.what} has expired and must be changed`,
          `log in once with ssh ${this.what} and change it`,
        ),
      );
    });
    client.on('hostkeys', (keys) => this.updateHostKeys(keys));
    client.on('ready', () => this.ready());

    this.watch(
      settings.connectMs,
      () =>
        new SallyportError(
          'handshake_failed',
          `${this.what} accepts the connection but does not complete the SSH handshake`,
          'is it an SSH server, and not overloaded?',
        ),
    );
    attempt.signal.throwIfAborted();
    if (transport.stream.destroyed) throw transport.stream.errored ?? this.closed();
    client.connect({
      sock: transport.stream,
      username: settings.values.user,
      algorithms,
      readyTimeout: 0,
      keepaliveInterval: 0,
      strictVendor: false,
      hostVerifier: (blob: Buffer, verify: (valid: boolean) => void) => {
        if (this.trusted !== null) {
          // New keys on a running connection: the host must be who it was.
          verify(this.trusted.equals(blob));
          return;
        }
        const key = Buffer.from(blob);
        checkHostKey(this.hostCheckParts(), entries, key, transport.peer, attempt).then(
          (verdict) => {
            if (this.failure !== null) return;
            this.trusted = key;
            this.keyWasKnown = verdict === 'known';
            verify(true);
          },
          (error) => this.end(error),
        );
      },
      authHandler: (methodsLeft, _partial, next) => {
        this.enterAuth();
        auth.next(methodsLeft as string[] | null).then(
          (method) => {
            if (this.failure !== null) return;
            this.enterAuth();
            if (method === null) this.end(auth.failure());
            else next(method);
          },
          (error) => this.end(error),
        );
      },
    });
    gateIdent(internals(client)._protocol);
  }

  private authParts() {
    const { settings, context } = this.parts;
    return {
      dest: this.what,
      options: settings.spec.options,
      values: settings.values,
      note: context.note.bind(context),
      attempt: this.attempt,
    };
  }

  private hostCheckParts() {
    const { settings, context, asker, acceptedKeys } = this.parts;
    return {
      options: settings.spec.options,
      trust: settings.trust,
      asker,
      note: context.note.bind(context),
      accepted: acceptedKeys,
      dest: this.what,
    };
  }

  private enterAuth(): void {
    this.phase = 'auth';
    this.watch(
      authMs,
      () =>
        new SallyportError('host_timeout', `${this.what} went silent while logging in`, 'is the server overloaded?'),
    );
  }

  private ready(): void {
    this.phase = 'up';
    clearTimeout(this.watchdog);
    const { settings, earlierListeners, onRtt } = this.parts;
    this.connection = new Ssh2Connection({
      client: this.client,
      transport: this.transport,
      settings,
      peer: { address: this.transport.address, ...this.negotiated, serverVersion: this.serverVersion },
      earlier: earlierListeners,
      onRtt,
    });
    this.finish();
  }

  /** A jump host's link that goes takes this one with it, and is named for it. */
  private streamFailure(error: Error): SallyportError {
    const { settings, context } = this.parts;
    if (context.via !== null && error instanceof SallyportError && error.code === 'host_lost') {
      const jump = settings.jump || 'the jump host';
      return new SallyportError('jump_failed', `the connection through ${jump} was lost`, '', { cause: error });
    }
    return clientFailure(error, this.phase, this.what);
  }

  private closed(): SallyportError {
    switch (this.phase) {
      case 'handshake':
        return new SallyportError(
          'handshake_failed',
          `${this.what} closed the connection before the handshake was done`,
          'its log may say why; MaxStartups and PerSourcePenalties do that',
        );
      case 'auth':
        return new SallyportError('host_lost', `${this.what} closed the connection while logging in`);
      case 'up':
        return new SallyportError('host_lost', `${this.what} closed the connection`);
    }
  }

  /** UpdateHostKeys: only for a host that known_hosts vouched for, never on a key just accepted. */
  private updateHostKeys(keys: readonly { getPublicSSH(): Buffer }[]): void {
    const { settings, context } = this.parts;
    if (!settings.updateHostKeys || !this.keyWasKnown) return;
    const proven = keys.flatMap((key) => {
      const blob = key.getPublicSSH();
      const type = blobType(blob);
      return type === null ? [] : [{ type, key: blob.toString('base64') }];
    });
    if (this.trusted === null || !proven.some((key) => key.key === this.trusted?.toString('base64'))) return;
    settings.trust.update(proven).then(
      (files) => {
        for (const file of files)
          context.note('info', 'host_keys_updated', `host keys of ${this.what} updated in ${file}`);
      },
      (error: Error) => context.note('warn', 'host_key_not_saved', `${this.what}: ${plainText(error.message)}`),
    );
  }
}
