import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where the askpass program lies: beside the bundle, beside its chunks, or beside this source. */
const places = [
  { entry: './askpass.js', script: '../bin/askpass' },
  { entry: '../askpass.js', script: '../../bin/askpass' },
  { entry: './askpass-main.ts', script: '../../../../bin/askpass' },
];

/** What ssh needs in its environment to ask through us, over `socketPath`. */
export function askpassEnvironment(socketPath: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const local = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
  const place = places.find(({ entry, script }) => existsSync(local(entry)) && existsSync(local(script)));
  if (place === undefined) return { ...env, SSH_ASKPASS_REQUIRE: 'force', SSH_ASKPASS: '/nonexistent' };
  return {
    ...env,
    SSH_ASKPASS: local(place.script),
    SSH_ASKPASS_REQUIRE: 'force',
    // Before OpenSSH 8.4 a display, and no terminal, was what made it ask this way.
    DISPLAY: env.DISPLAY ?? ':0',
    SALLYPORT_ASKPASS_NODE: process.execPath,
    SALLYPORT_ASKPASS_ENTRY: local(place.entry),
    SALLYPORT_ASKPASS_SOCKET: socketPath,
  };
}
