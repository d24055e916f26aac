import type net from 'node:net';
import type { Listen } from '../../model/endpoint.ts';
import type { PortHolder } from '../sockets/errors.ts';
import type { Listener } from '../sockets/tcp-listener.ts';
import { listenTcp } from '../sockets/tcp-listener.ts';
import { listenUnix } from '../sockets/unix-listener.ts';

/** Listens where a forward says, TCP or Unix. */
export function listenAt(listen: Listen, accept: (socket: net.Socket) => void, holder: PortHolder): Promise<Listener> {
  return 'socket' in listen
    ? listenUnix(listen.socket, accept)
    : listenTcp(listen.address, listen.port, accept, holder);
}
