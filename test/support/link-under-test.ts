// A link under test with what it reported, and a server for it to reach.
import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { LinkContext, LinkFactory, ManagedLink } from '../../src/dataplane/carriers/link-context.ts';
import { usualTimings } from '../../src/dataplane/messages.ts';
import type { LinkSpec, Prompt } from '../../src/model/host.ts';
import type { LinkStatus } from '../../src/model/state.ts';
import { until } from './until.ts';

export interface LinkUnderTest {
  readonly link: ManagedLink;
  readonly statuses: LinkStatus[];
  readonly prompts: Prompt[];
  /** Waits for a status of this kind after the last one that was waited for. */
  reached(is: LinkStatus['is']): Promise<LinkStatus>;
}

export function linkUnderTest(create: LinkFactory, spec: LinkSpec): LinkUnderTest {
  const statuses: LinkStatus[] = [];
  const prompts: Prompt[] = [];
  const context: LinkContext = {
    timings: () => usualTimings,
    via: null,
    report: (status) => statuses.push(status),
    prompt: (prompt) => prompts.push(prompt),
    promptGone: (id) => {
      const place = prompts.findIndex((prompt) => prompt.id === id);
      if (place >= 0) prompts.splice(place, 1);
    },
    note: () => {},
  };
  let seen = 0;
  return {
    link: create(spec, context),
    statuses,
    prompts,
    reached: (is) =>
      until(`status ${is}`, () => {
        const place = statuses.findIndex((status, i) => i >= seen && status.is === is);
        if (place < 0) throw new Error(JSON.stringify(statuses.at(-1)));
        seen = place + 1;
        return statuses[place];
      }),
  };
}

export const origin = { address: '127.0.0.1', port: 1 };
export const soon = (): AbortSignal => AbortSignal.timeout(20_000);

/** Everything a stream gives until its end. */
export async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.resume();
  await new Promise<void>((resolve, reject) => stream.once('end', resolve).once('error', reject));
  return Buffer.concat(chunks);
}

export const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** A server that answers, once the client has ended, with the digest of what it got, then sends `data` itself. */
export async function digestServer(megabytes: number): Promise<{ port: number; digest: string; close(): void }> {
  const data = randomBytes(megabytes << 20);
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const hash = createHash('sha256');
    socket.on('error', () => {});
    socket.on('data', (chunk) => hash.update(chunk));
    socket.on('end', () => {
      socket.write(`${hash.digest('hex')}\n`);
      socket.end(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  return { port, digest: sha256(data), close: () => server.close() };
}
