import { readFile, stat } from 'node:fs/promises';

/** Parses passwd(5): user name by user id; the first of an id wins, as in getpwuid(3). */
export function parsePasswd(text: string): Map<number, string> {
  const users = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (name && uid !== undefined && /^\d+$/.test(uid) && !users.has(Number(uid))) users.set(Number(uid), name);
  }
  return users;
}

let cached: { mtimeMs: number; users: Map<number, string> } | null = null;

/** User names by id from /etc/passwd, read again when the file has changed. Users of a directory service are not there. */
async function localUsers(): Promise<ReadonlyMap<number, string>> {
  try {
    const { mtimeMs } = await stat('/etc/passwd');
    if (cached?.mtimeMs !== mtimeMs) cached = { mtimeMs, users: parsePasswd(await readFile('/etc/passwd', 'utf8')) };
    return cached.users;
  } catch {
    return new Map();
  }
}

/** Names a user id; the number itself stands for a user that /etc/passwd does not know. */
export async function userNames(): Promise<(uid: number) => string> {
  const users = await localUsers();
  return (uid) => users.get(uid) ?? String(uid);
}
