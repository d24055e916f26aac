// Takes the questions of ssh's askpass program over a private Unix socket: one line of JSON in, one out.
import { chmod } from 'node:fs/promises';
import net from 'node:net';

export interface AskpassRequest {
  readonly text: string;
  /** `none`: only to be shown, until the program is ended; `confirm`: yes or no. */
  readonly form: 'entry' | 'confirm' | 'none';
}

/** @param reply gives the answer, or null for none; its signal is aborted when ssh no longer waits */
export type AskpassReply = (request: AskpassRequest, signal: AbortSignal) => Promise<string | null>;

const maxRequestBytes = 64 << 10;

export class AskpassServer {
  private readonly server: net.Server;
  private readonly sockets = new Set<net.Socket>();

  private constructor(reply: AskpassReply) {
    this.server = net.createServer((socket) => this.take(socket, reply));
    this.server.on('error', () => {});
  }

  static async start(socketPath: string, reply: AskpassReply): Promise<AskpassServer> {
    const askpass = new AskpassServer(reply);
    await new Promise<void>((resolve, reject) => {
      askpass.server.once('error', reject);
      askpass.server.listen(socketPath, () => {
        askpass.server.off('error', reject);
        resolve();
      });
    });
    await chmod(socketPath, 0o600);
    return askpass;
  }

  stop(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private take(socket: net.Socket, reply: AskpassReply): void {
    const gone = new AbortController();
    let text = '';
    let asked = false;
    this.sockets.add(socket);
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('close', () => {
      this.sockets.delete(socket);
      gone.abort(new Error('ssh no longer waits for an answer'));
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (asked) return;
      if (text.length > maxRequestBytes) socket.destroy();
      if (!text.includes('\n')) return;
      asked = true;
      this.answer(text.slice(0, text.indexOf('\n')), reply, gone.signal).then(
        (answer) => socket.end(`${JSON.stringify({ answer })}\n`),
        () => socket.destroy(),
      );
    });
  }

  private async answer(line: string, reply: AskpassReply, signal: AbortSignal): Promise<string | null> {
    const { text, form } = JSON.parse(line) as { text?: unknown; form?: unknown };
    if (typeof text !== 'string') throw new Error('not a question');
    return reply({ text, form: form === 'none' || form === 'confirm' ? form : 'entry' }, signal);
  }
}
