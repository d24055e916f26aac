// One engine a home: whoever holds the socket is it.
import { linkSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { SallyportError } from '../model/errors.ts';

/** Makes a folder private to the user, and refuses one that belongs to somebody else. */
function privateFolder(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(dir);
  if (uid !== process.getuid?.()) {
    throw new SallyportError(
      'engine_start',
      `${dir} belongs to another user (uid ${uid})`,
      'remove it, or set SALLYPORT_HOME to a folder of your own',
    );
  }
  if ((mode & 0o077) !== 0) {
    throw new SallyportError('engine_start', `${dir} is open to other users`, `close it: chmod 700 ${dir}`);
  }
}

/**
 * Listens on the engine's socket, or learns that another engine does.
 *
 * A server binds a name of its own and then links it to the common one, which fails if that exists: of two that start at
 * once, one wins. A socket left by a killed engine refuses connections, and is moved away, which again only one can do.
 * @throws SallyportError `engine_busy`
 */
export async function claimSocket(file: string): Promise<net.Server> {
  privateFolder(path.dirname(file));
  const own = `${file}.${process.pid}`;
  rmSync(own, { force: true });
  const server = net.createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(own, resolve));
  try {
    for (let attempt = 0; ; attempt++) {
      try {
        linkSync(own, file);
        return server;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      if (attempt > 20 || (await answers(file))) {
        throw new SallyportError(
          'engine_busy',
          `the home is in use: another engine holds ${file}`,
          'end it first: sallyport engine stop',
        );
      }
      await setAside(file);
    }
  } catch (error) {
    server.close();
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Moves a dead socket away. Had another engine put a live one there meanwhile, that one is put back. */
async function setAside(file: string): Promise<void> {
  const stale = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, stale);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (await answers(stale)) linkSync(stale, file);
  rmSync(stale, { force: true });
}

function answers(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(file);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
