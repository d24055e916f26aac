import path from 'node:path';

/** Where the command was called: what relative paths and `~` mean. */
export interface Place {
  readonly cwd: string;
  readonly userHome: string;
  readonly now: Date;
}

/** A file name made absolute for the engine, which runs elsewhere; ssh's own tokens (`%d/…`, `${HOME}/…`) are left to ssh. */
export function absolutePath(file: string, { cwd, userHome }: Pick<Place, 'cwd' | 'userHome'>): string {
  if (file === '~') return userHome;
  if (file.startsWith('~/')) return path.join(userHome, file.slice(2));
  if (/^(%|\$\{|~)/.test(file)) return file;
  return path.resolve(cwd, file);
}
