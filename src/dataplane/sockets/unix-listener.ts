import { lstatSync, unlinkSync } from 'node:fs';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { SallyportError } from '../../model/errors.ts';
import { nodeCode } from './errors.ts';
import type { Listener } from './tcp-listener.ts';
import { acceptOptions } from './tcp-listener.ts';

/** Longest path the kernel takes for a socket, sun_path less its final zero. */
const longestPath = 107;

/**
 * Listens on a Unix socket of mode 0600. A socket file nobody listens on is replaced; anything else there is left alone.
 * The file goes when the listener is closed.
 *
 * A thread can't set the umask, so the socket is made in a private folder beside its place and moved there finished:
 * nobody can connect before the mode is right.
 * @throws SallyportError `socket_taken`, `port_denied`, `listen_failed`
 */
export async function listenUnix(file: string, accept: (socket: net.Socket) => void): Promise<Listener> {
  const server = net.createServer(acceptOptions, accept);
  let room: string | null = null;
  try {
    room = await fs.mkdtemp(path.join(path.dirname(file), '.s'));
    const making = path.join(room, 's');
    if (Buffer.byteLength(making) > longestPath) {
      throw new SallyportError('listen_failed', `${file} is too long a path for a socket`, 'use a shorter path');
    }
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject);
      server.listen({ path: making, backlog: acceptBacklog }, resolve);
    });
    await fs.chmod(making, 0o600);
    await moveInto(making, file);
  } catch (error) {
    server.close();
    throw unixError(error, file);
  } finally {
    if (room !== null) await fs.rm(room, { recursive: true, force: true });
  }
  const { dev, ino } = lstatSync(file);
  let closed = false;
  return {
    shown: file,
    port: null,
    close: () => {
      if (closed) return;
      closed = true;
      server.close();
      try {
        const now = lstatSync(file);
        if (now.dev === dev && now.ino === ino) unlinkSync(file);
      } catch (error) {
        if (nodeCode(error) !== 'ENOENT') throw unixError(error, file);
      }
    },
  };
}

const acceptBacklog = 1024;

/** Gives the finished socket its name: by a link where nothing is there yet, which never replaces; else over a dead socket. */
async function moveInto(making: string, file: string): Promise<void> {
  try {
    await fs.link(making, file);
    return;
  } catch (error) {
    if (nodeCode(error) !== 'EEXIST') throw error;
  }
  const there = await fs.lstat(file);
  if (!there.isSocket()) {
    throw new SallyportError('socket_taken', `${file} exists and is not a socket`, 'choose another path');
  }
  if (await answers(file)) {
    throw new SallyportError('socket_taken', `another program listens on ${file}`, 'choose another path, or stop it');
  }
  await fs.rename(making, file);
}

function answers(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(file);
    socket.once('connect', () => resolve(true));
    socket.once('error', (error) => resolve(nodeCode(error) !== 'ECONNREFUSED' && nodeCode(error) !== 'ENOENT'));
    socket.once('connect', () => socket.destroy());
  });
}

function unixError(error: unknown, file: string): SallyportError {
  if (error instanceof SallyportError) return error;
  const options = { cause: error };
  switch (nodeCode(error)) {
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new SallyportError('port_denied', `no right to make the socket ${file}`, 'choose another folder', options);
    case 'ENOENT':
    case 'ENOTDIR':
      return new SallyportError('listen_failed', `the folder of ${file} does not exist`, 'create it first', options);
    default:
      return new SallyportError('listen_failed', `cannot listen on ${file}: ${(error as Error).message}`, '', options);
  }
}
