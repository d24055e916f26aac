// The handshake, the check of the host key and the log-in, over a transport that is open.
import ssh2 from 'ssh2';
import { SallyportError } from '../../../model/errors.ts';
import { blobType, type KnownHost } from '../../../ssh/known-hosts.ts';
import { plainText } from '../../../ssh/plain-text.ts';
import type { Attempt } from '../reconnect.ts';
import { chooseAlgorithms } from './algorithms.ts';
import { Authenticator } from './authenticator.ts';
import type { ConnectParts } from './connect.ts';
import { Ssh2Connection } from './connection.ts';
import { clientFailure, type Phase } from './failures.ts';
import { checkHostKey } from './host-check.ts';
import { gateIdent } from './ident-gate.ts';
import { internals } from './internals.ts';
import { chooseRsaSignature } from './rsa-signatures.ts';
import { keepaliveOf } from './settings.ts';
import type { Transport } from './transport.ts';

/** A server that is silent for this long during the log-in is not thinking about it. */
const authMs = 30_000;

/** The connection ended while a person was being asked; with the answer, it is tried again at once. */
export class EndedWhileAsking extends Error {}

/** The handshake and log-in over an open transport. */
export class Login {
  private readonly parts: ConnectParts;
  private readonly attempt: Attempt;
  private readonly transport: Transport;
  private readonly entries: readonly KnownHost[];
  private readonly client = new ssh2.Client();
  private phase: Phase = 'handshake';
  private readonly auth: Authenticator;
  /** Takes back what is being asked. */
  private readonly withdrawn = new AbortController();
  private failure: SallyportError | null = null;
  /** What a person decided after the connection had ended already. */
  private late: SallyportError | null = null;
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
    this.attempt = { ...attempt, signal: AbortSignal.any([attempt.signal, this.withdrawn.signal]) };
    this.transport = transport;
    const { settings, context, asker, secrets } = parts;
    this.auth = new Authenticator({
      dest: this.what,
      options: settings.spec.options,
      args: settings.spec.args,
      values: settings.values,
      secrets,
      asker,
      note: context.note.bind(context),
      attempt: this.attempt,
    });
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
    const failure = this.failure ?? new SallyportError('handshake_failed', 'the connection ended');
    if (asker.asking && failure.retryable && !attempt.signal.aborted) {
      await asker.settled();
      const refusal = this.late ?? this.auth.abandoned;
      if (refusal !== null) throw refusal;
      throw new EndedWhileAsking();
    }
    this.withdrawn.abort(failure);
    throw failure;
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
    if (this.failure === null) this.failure = error;
    else if (!error.retryable) this.late ??= error;
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
    const { client, transport, attempt, entries, auth } = this;
    const { settings, context } = this.parts;
    const { options } = settings.spec;
    const algorithms = chooseAlgorithms(options, (list) => settings.trust.order(list, entries));

    transport.stream.on('error', (error) => this.end(this.streamFailure(error)));
    client.on('error', (error) => {
      // A key the agent would not sign with: ssh2 goes on to the next by itself.
      if ((error as { level?: string }).level === 'agent') {
        if (!attempt.signal.aborted) context.note('warn', 'key_refused', `${this.what}: ${plainText(error.message)}`);
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
    chooseRsaSignature(internals(client)._protocol, options);
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
    const { settings, context, earlierListeners, onRtt } = this.parts;
    this.connection = new Ssh2Connection({
      client: this.client,
      transport: this.transport,
      settings,
      peer: { address: this.transport.address, ...this.negotiated, serverVersion: this.serverVersion },
      earlier: earlierListeners,
      keepalive: keepaliveOf(settings.spec, context.timings()),
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
