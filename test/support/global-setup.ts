import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { installTools } from './tools.ts';

export const root = path.join(import.meta.dirname, '..', '..');

/** Builds dist, which the end-to-end tests run, and installs the servers the tests talk to. */
export default function setup(): void {
  installTools();
  execFileSync(process.execPath, ['bin/build.ts'], { cwd: root, stdio: 'inherit' });
}
