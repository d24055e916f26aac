// The SSH agent, with a limit to how long it may think.
import type { Duplex } from 'node:stream';
import ssh2, { type ParsedKey } from 'ssh2';
import { SallyportError } from '../../../model/errors.ts';

const agentListMs = 5000;
/** An agent may ask its owner to confirm each use of a key (ssh-add -c). */
const agentSignMs = 60_000;

type AgentStreamCallback = (error: Error | undefined | null, stream: Duplex) => void;

/** ssh2's agent client with its sockets in reach, so that a hung agent's can be closed. */
class WatchedAgent extends ssh2.OpenSSHAgent {
  private readonly streams = new Set<Duplex>();

  override getStream(callback: AgentStreamCallback): void {
    super.getStream(((error: Error | null, stream: Duplex) => {
      if (!error) {
        this.streams.add(stream);
        stream.once('close', () => this.streams.delete(stream));
      }
      callback(error, stream);
    }) as never);
  }

  hangUp(): void {
    for (const stream of this.streams) stream.destroy();
    this.streams.clear();
  }
}

export class Agent {
  private readonly socket: string;
  private readonly listMs: number;

  constructor(socket: string, listMs = agentListMs) {
    this.socket = socket;
    this.listMs = listMs;
  }

  /**
   * The keys it holds that ssh2 can use.
   * @throws SallyportError `agent_unreachable`
   */
  list(): Promise<ParsedKey[]> {
    return this.call<ParsedKey[]>(this.listMs, (agent, done) => agent.getIdentities(done as never));
  }

  /** @param hash for RSA keys: sha1, sha256 or sha512 @throws SallyportError `agent_unreachable` */
  sign(key: ParsedKey, data: Buffer, hash: string | undefined): Promise<Buffer> {
    return this.call<Buffer>(agentSignMs, (agent, done) => agent.sign(key, data, { hash } as never, done as never));
  }

  private call<T>(
    limitMs: number,
    start: (agent: WatchedAgent, done: (error: Error | null | undefined, value?: T) => void) => void,
  ): Promise<T> {
    const agent = new WatchedAgent(this.socket);
    return new Promise<T>((resolve, reject) => {
      const failed = (why: string, hung: boolean, cause?: unknown) =>
        reject(
          new SallyportError(
            'agent_unreachable',
            `the SSH agent at ${this.socket} ${why}`,
            hung
              ? 'restart the agent, or set IdentityAgent none for this host'
              : 'start an agent, or name an IdentityFile',
            { cause },
          ),
        );
      const timer = setTimeout(() => {
        failed(`does not answer within ${limitMs / 1000} s`, true);
        agent.hangUp();
      }, limitMs);
      start(agent, (error, value) => {
        clearTimeout(timer);
        if (error || value === undefined) failed(`cannot be used: ${error?.message ?? 'no answer'}`, false, error);
        else resolve(value);
      });
    });
  }
}

/** The public key of a blob, or null where ssh2 has no such type. */
export function parsePublic(blob: Buffer): ParsedKey | null {
  const key = ssh2.utils.parseKey(blob);
  return key instanceof Error ? null : Array.isArray(key) ? (key[0] ?? null) : key;
}
