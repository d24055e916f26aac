// One try at a connection: transport, then log-in.
import { SallyportError } from '../../../model/errors.ts';
import type { LinkContext } from '../link-context.ts';
import type { Attempt } from '../reconnect.ts';
import type { Asker } from './asker.ts';
import type { Ssh2Connection } from './connection.ts';
import { EndedWhileAsking, Login } from './login.ts';
import type { SecretStore } from './secrets.ts';
import type { LinkSettings } from './settings.ts';
import { jumpReady, openTransport, type Transport } from './transport.ts';

/** What all tries of one link share. */
export interface ConnectParts {
  readonly settings: LinkSettings;
  readonly context: LinkContext;
  readonly asker: Asker;
  readonly secrets: SecretStore;
  readonly acceptedKeys: Set<string>;
  readonly earlierListeners: Set<string>;
  readonly onRtt: (rttMs: number) => void;
}

/** @throws SallyportError, or the attempt's signal's reason */
export async function connectSsh2(parts: ConnectParts, attempt: Attempt): Promise<Ssh2Connection> {
  for (;;) {
    try {
      return await tryOnce(parts, attempt);
    } catch (error) {
      if (!(error instanceof EndedWhileAsking)) {
        // After a failure for good, the next try is somebody's new wish, and "this time" is over.
        if (error instanceof SallyportError && !error.retryable) parts.secrets.forgetOnce();
        throw error;
      }
      attempt.signal.throwIfAborted();
    }
  }
}

async function tryOnce(parts: ConnectParts, attempt: Attempt): Promise<Ssh2Connection> {
  // Before the transport opens: from then on nothing may be awaited, or its first events go unheard.
  const entries = await parts.settings.trust.read();
  const transport = await openInTime(parts, attempt);
  return new Login(parts, attempt, transport, entries).run();
}

async function openInTime({ settings, context }: ConnectParts, attempt: Attempt): Promise<Transport> {
  // A jump host takes its own time, and a person may be asked for it.
  if (context.via !== null) await jumpReady(settings, context.via, attempt.signal);
  const seconds = Math.round(settings.connectMs / 1000);
  const timeout = new AbortController();
  const timer = setTimeout(() => {
    timeout.abort(
      new SallyportError(
        'host_timeout',
        `${settings.spec.dest} does not answer within ${seconds} s`,
        'is it up, and is a firewall between? ConnectTimeout sets how long to wait',
      ),
    );
  }, settings.connectMs);
  try {
    return await openTransport(settings, context.via, AbortSignal.any([attempt.signal, timeout.signal]));
  } finally {
    clearTimeout(timer);
  }
}
