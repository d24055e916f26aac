import { createRequire } from 'node:module';
import net from 'node:net';
import { bad, type Check, fine, optional, type Surroundings } from './check.ts';

/** The oldest Node.js that runs the TypeScript of a checkout by itself, as package.json says. */
const oldestNode = [22, 18] as const;

export function nodeVersion(version = process.versions.node): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
  return enough
    ? fine('node', `Node.js ${version}`)
    : bad('node', `Node.js ${version} is too old`, `needs ${oldestNode.join('.')} or later; npm ci brings its own`);
}

/** Whether ssh2 encrypts natively: it falls back to JavaScript, ten times slower, without a word. */
export function nativeCrypto(load: (file: string) => unknown = createRequire(import.meta.url)): Check {
  try {
    load('ssh2/lib/protocol/crypto/build/Release/sshcrypto.node');
    return fine('crypto', 'native ciphers for ssh2');
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    const missing = why.startsWith('Cannot find module') ? 'not built' : why;
    return bad(
      'crypto',
      `ssh2 encrypts in JavaScript, ten times slower: ${missing}`,
      'npm rebuild ssh2, with a C++ compiler installed and nodedir not pointing to other headers',
    );
  }
}

export async function sshClient({ firstLine }: Surroundings): Promise<Check> {
  const version = await firstLine('ssh', ['-V']);
  return version === null
    ? bad(
        'ssh',
        'no OpenSSH client',
        'install openssh-client: it resolves hosts exactly, and carries what needs certificates or FIDO keys',
      )
    : fine('ssh', version);
}

const requestIdentities = Buffer.from([0, 0, 0, 1, 11]);
const identitiesAnswer = 12;

/** Counts the keys an agent holds (draft-miller-ssh-agent, section 4.4). @throws when it does not answer in time */
function agentKeys(socketPath: string, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(socketPath);
    const timer = setTimeout(() => socket.destroy(new Error('no answer')), timeoutMs);
    let received = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new Error('it hung up'));
    });
    socket.on('connect', () => socket.write(requestIdentities));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 9) return;
      const answer = received[4];
      if (answer === identitiesAnswer) resolve(received.readUInt32BE(5));
      else reject(new Error(`unexpected answer ${answer}`));
      socket.destroy();
    });
  });
}

export async function sshAgent({ env }: Surroundings, timeoutMs = 3000): Promise<Check> {
  const socketPath = env.SSH_AUTH_SOCK;
  if (!socketPath) {
    return optional(
      'agent',
      'no SSH agent in this environment',
      'start the engine where SSH_AUTH_SOCK is set, to use its keys',
    );
  }
  try {
    const keys = await agentKeys(socketPath, timeoutMs);
    return fine('agent', `${keys} ${keys === 1 ? 'key' : 'keys'} in the agent`);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    return bad('agent', `the agent at ${socketPath} does not answer: ${why}`, 'start it again, or unset SSH_AUTH_SOCK');
  }
}
