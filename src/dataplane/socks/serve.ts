import type { Duplex } from 'node:stream';
import type { Target } from '../../model/endpoint.ts';
import { formatEndpoint } from '../../model/endpoint.ts';
import type { Flow } from '../flows.ts';
import type { Gate } from '../forwards/gate.ts';
import { serve } from '../forwards/serve.ts';
import type { Notes } from '../notes.ts';
import { reset } from '../pump.ts';
import { readRequest, SocksRefusal } from './handshake.ts';
import type { Login } from './login.ts';
import { reply5, replyFor } from './reply.ts';

/** A client that has not said where it wants to go by then is dropped. */
const handshakeMs = 10_000;
/** A client that was refused has so long to read why. */
const farewellMs = 1000;

export interface SocksService {
  readonly gate: Gate;
  readonly notes: Notes;
  readonly login: Login | null;
  readonly handshakeMs?: number;
  dial(target: Target & { host: string; port: number }, signal: AbortSignal): Promise<Duplex>;
}

/** Serves one client of a SOCKS server, on a socket or a channel. */
export async function serveSocks(client: Duplex, flow: Flow, service: SocksService): Promise<void> {
  const { notes, gate, login } = service;
  const deadline = new AbortController();
  const late = () => deadline.abort(new SocksRefusal('the client said nothing'));
  const timer = setTimeout(late, service.handshakeMs ?? handshakeMs);
  client.on('error', () => {});
  flow.cut = () => {
    deadline.abort(new SocksRefusal('cut'));
  };
  try {
    const request = await readRequest(client, login, deadline.signal);
    const target = { host: request.host, port: request.port };
    flow.target = formatEndpoint(target);
    void serve(client, flow, {
      notes,
      limits: gate.limits,
      dial: (signal) => service.dial(target, signal),
      connected: () => client.write(request.answer(reply5.granted)),
      failed: (error) => sayFarewell(client, request.answer(replyFor(error))),
    });
  } catch (error) {
    if (error instanceof SocksRefusal) {
      if (error.login) notes.say('warn', 'socks_login_failed', `${flow.start.peer}: ${error.message}`);
      if (error.farewell.length > 0 && !client.destroyed) sayFarewell(client, error.farewell);
      else reset(client);
    } else {
      notes.say('error', 'internal', (error as Error).message);
      reset(client);
    }
    flow.end();
  } finally {
    clearTimeout(timer);
  }
}

/** Ends with a last word. What the client still sends is read and dropped: unread, it would turn the end into a reset. */
function sayFarewell(client: Duplex, words: Buffer): void {
  client.end(words);
  client.resume();
  const timer = setTimeout(() => client.destroy(), farewellMs);
  client.once('close', () => clearTimeout(timer));
}
