// The systemd unit of the user that runs a home's engine: what it is called, and whether it is there.
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Home } from '../model/home.ts';

export interface UnitOwner {
  readonly env: NodeJS.ProcessEnv;
  readonly home: Home;
}

/** Each home has a unit of its own. */
export function unitName({ env, home }: UnitOwner): string {
  if (!env.SALLYPORT_HOME) return 'sallyport.service';
  // Read with every command: loading node:crypto takes 8 ms.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return `sallyport-${createHash('sha256').update(home.dir).digest('hex').slice(0, 8)}.service`;
}

export function unitFile(owner: UnitOwner): string {
  const { env } = owner;
  const base = env.XDG_CONFIG_HOME || path.join(env.HOME ?? '/root', '.config');
  return path.join(base, 'systemd', 'user', unitName(owner));
}

/** The unit's name where it is installed, else null. */
export function installedUnit(owner: UnitOwner): string | null {
  return existsSync(unitFile(owner)) ? unitName(owner) : null;
}
