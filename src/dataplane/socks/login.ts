// User and password, RFC 1929. Ours, because the package keeps them outside the connection: two logins at once mix.
import { createHash, timingSafeEqual } from 'node:crypto';
import { open } from 'node:fs/promises';
import { SallyportError } from '../../model/errors.ts';
import { nodeCode } from '../sockets/errors.ts';

export interface Login {
  readonly user: string;
  readonly password: string;
}

/**
 * Reads the password, the file's first line.
 * @throws SallyportError `bad_value` for a file that is missing, empty, or open to others
 */
export async function readLogin(user: string, passwordFile: string): Promise<Login> {
  const bad = (why: string, hint: string, cause?: unknown) =>
    new SallyportError('bad_value', `password file ${passwordFile} ${why}`, hint, { cause });
  try {
    const file = await open(passwordFile);
    try {
      const { mode } = await file.stat();
      if ((mode & 0o077) !== 0) throw bad('can be read by others', `run: chmod 600 ${passwordFile}`);
      const password = (await file.readFile('utf8')).split(/\r?\n/, 1)[0] ?? '';
      if (password === '') throw bad('is empty', 'write the password into its first line');
      if (Buffer.byteLength(password) > 255) throw bad('has a password over 255 bytes', 'SOCKS allows no longer one');
      return { user, password };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof SallyportError) throw error;
    throw bad(`cannot be read: ${nodeCode(error)}`, 'create it with mode 0600', error);
  }
}

const digest = (text: Buffer) => createHash('sha256').update(text).digest();

/** Whether they match, in a time that tells nothing of where they differ. */
export function loginMatches(login: Login, user: Buffer, password: Buffer): boolean {
  const sameUser = timingSafeEqual(digest(Buffer.from(login.user)), digest(user));
  const samePassword = timingSafeEqual(digest(Buffer.from(login.password)), digest(password));
  return sameUser && samePassword;
}

export type LoginResult =
  | { readonly is: 'more' }
  | { readonly is: 'bad' }
  | { readonly is: 'login'; readonly user: Buffer; readonly password: Buffer; readonly rest: Buffer };

/** Resumable parser of the request of RFC 1929 section 2. After `bad` or `login` it must not be fed again. */
export class LoginParser {
  private state: 'version' | 'userLength' | 'user' | 'passwordLength' | 'password' = 'version';
  private user = Buffer.alloc(0);
  private password = Buffer.alloc(0);
  private filled = 0;

  feed(chunk: Buffer): LoginResult {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      switch (this.state) {
        case 'version':
          if (byte !== 1) return { is: 'bad' };
          this.state = 'userLength';
          break;
        case 'userLength':
          if (byte === 0) return { is: 'bad' };
          this.user = Buffer.alloc(byte);
          this.state = 'user';
          break;
        case 'user':
          this.user[this.filled++] = byte;
          if (this.filled === this.user.length) this.state = 'passwordLength';
          break;
        case 'passwordLength':
          if (byte === 0) return { is: 'bad' };
          this.password = Buffer.alloc(byte);
          this.filled = 0;
          this.state = 'password';
          break;
        case 'password':
          this.password[this.filled++] = byte;
          if (this.filled < this.password.length) break;
          return { is: 'login', user: this.user, password: this.password, rest: chunk.subarray(i + 1) };
      }
    }
    return { is: 'more' };
  }
}
