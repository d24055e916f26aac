// The file of a Unix socket at the far end. sshd leaves it behind when it stops listening, and then cannot listen there
// again; so it is removed over SFTP, where the server has that.
import { constants } from 'node:fs';
import type { Client, SFTPWrapper } from 'ssh2';

const timeoutMs = 5000;
/** RFC 4254 section 5.1: SSH_OPEN_CONNECT_FAILED. */
const connectFailed = 2;

type Done<T> = (error: unknown, value?: T) => void;

/** A call that may never be answered; null where it failed. */
function answer<T>(start: (done: Done<T>) => void): Promise<{ readonly value: T | undefined } | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), timeoutMs);
    const done: Done<T> = (error, value) => {
      clearTimeout(timer);
      resolve(error ? null : { value });
    };
    try {
      start(done);
    } catch (error) {
      done(error);
    }
  });
}

/** Removes the file where it is a socket. @returns whether it is gone by that */
export async function removeFarSocket(client: Client, path: string): Promise<boolean> {
  const sftp = (await answer<SFTPWrapper>((done) => client.sftp(done)))?.value;
  if (sftp === undefined) return false;
  sftp.on('error', () => {});
  const file = (await answer<{ mode: number }>((done) => sftp.lstat(path, done)))?.value;
  const isSocket = file !== undefined && (file.mode & constants.S_IFMT) === constants.S_IFSOCK;
  const removed = isSocket && (await answer((done) => sftp.unlink(path, done))) !== null;
  sftp.end();
  return removed;
}

/** Whether the server finds nobody listening on the path; false where it does not say. */
export function isDeadSocket(client: Client, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs);
    const done = (dead: boolean) => {
      clearTimeout(timer);
      resolve(dead);
    };
    try {
      client.openssh_forwardOutStreamLocal(path, (error, channel) => {
        if (error) return done((error as { reason?: unknown }).reason === connectFailed);
        channel.on('error', () => {});
        channel.destroy();
        done(false);
      });
    } catch {
      done(false);
    }
  });
}
