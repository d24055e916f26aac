import { access, lstat } from 'node:fs/promises';
import os from 'node:os';
import { bad, type Check, fine, optional, type Surroundings } from './check.ts';

const othersBits = 0o077;

/** Whether the folder of the engine's socket is the user's alone. */
export async function runtimeFolder(folder: string, uid = process.getuid?.() ?? 0): Promise<Check> {
  try {
    const stats = await lstat(folder);
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    if (!stats.isDirectory()) return bad('runtime', `${folder} is not a folder`, 'move it away');
    if (stats.uid !== uid)
      return bad('runtime', `${folder} belongs to user ${stats.uid}`, 'give it back, or set SALLYPORT_HOME');
    if ((stats.mode & othersBits) !== 0) {
      return bad('runtime', `${folder} has mode ${mode}: others can get in`, `chmod 700 ${folder}`);
    }
    return fine('runtime', `${folder}, mode ${mode}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT'
      ? optional('runtime', `${folder} is not there yet; the engine makes it`)
      : bad('runtime', `${folder} cannot be looked at: ${code}`, 'check the folders above it, or set SALLYPORT_HOME');
  }
}

/** The locale that decides about characters, as setlocale(3) finds it. */
export function locale({ env }: Surroundings): Check {
  const name = env.LC_ALL || env.LC_CTYPE || env.LANG || 'C';
  return /utf-?8/i.test(name)
    ? fine('locale', name)
    : optional('locale', `${name} is not UTF-8: the dashboard draws in ASCII`, 'set LANG to one like C.UTF-8');
}

export function colours({ env }: Surroundings): Check {
  if (env.NO_COLOR) return optional('colour', 'switched off by NO_COLOR', 'unset NO_COLOR for a dashboard in colour');
  const term = env.TERM || 'unset';
  if (term === 'unset' || term === 'dumb')
    return optional('colour', `TERM is ${term}: no colours`, 'run it in a terminal');
  if (/truecolor|24bit/i.test(env.COLORTERM ?? '')) return fine('colour', `${term}, 16 million`);
  return fine('colour', `${term}, ${/256|kitty|alacritty|ghostty/.test(term) ? '256' : '16'}`);
}

/** Whether the user's services run without a login: an installed engine else ends with the last session. */
export async function lingering(user = os.userInfo().username, root = '/'): Promise<Check> {
  const there = (file: string) =>
    access(`${root}${file}`).then(
      () => true,
      () => false,
    );
  if (!(await there('run/systemd/system'))) {
    return optional(
      'linger',
      'no systemd: engine install has nothing to install into',
      'start the engine by other means at boot',
    );
  }
  return (await there(`var/lib/systemd/linger/${user}`))
    ? fine('linger', `services of ${user} run without a login`)
    : optional(
        'linger',
        `services of ${user} end with the last login`,
        `loginctl enable-linger ${user}, after engine install`,
      );
}
