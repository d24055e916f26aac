// The private parts of ssh2 1.17.0 (pinned) that this carrier leans on, named in one place. ssh2 has no public way to
// widen a channel's window, to tell a lost connection from a closed channel, or to time a keepalive.
import type { Client } from 'ssh2';
import type { Extension } from './rsa-signatures.ts';

interface Protocol {
  channelData(channel: number, data: Buffer): void;
  channelEOF(channel: number): void;
  channelClose(channel: number): void;
  channelWindowAdjust(channel: number, amount: number): void;
  /** Sends keepalive@openssh.com, which wants a reply. */
  ping(): void;
  rekey(): void;
  parse(chunk: Buffer, at: number, end: number): void;
  readonly _handlers: {
    DEBUG?: (protocol: unknown, display: boolean, message: string) => void;
    EXT_INFO?: (protocol: unknown, extensions: readonly Extension[]) => void;
  };
}

interface Writable {
  readonly writableLength: number;
  once(event: 'drain', listener: () => void): unknown;
}

export interface Internals {
  readonly _protocol: Protocol;
  readonly _chanMgr: { update(id: number, channel: object): void };
  /** Replies to global requests come in order: one callback for each. */
  readonly _callbacks: Array<(error: unknown, data?: Buffer | null) => void>;
  readonly _sock: Writable;
  /** The server's software version, once it said hello. */
  readonly _remoteVer?: string;
}

/** What ssh2 knows of a channel just opened. */
export interface OpenedChannel {
  readonly incoming: { readonly id: number; readonly window: number };
  readonly outgoing: { readonly id: number; readonly window: number; readonly packetSize: number };
}

export function internals(client: Client): Internals {
  return client as unknown as Internals;
}
