// ProxyCommand: a program whose standard input and output are the connection, ssh_config(5).
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { SallyportError } from '../../../model/errors.ts';
import { plainText } from '../../../ssh/plain-text.ts';

/** How long the command has to end by itself before its group is killed. */
const graceMs = 2000;

export class ProxyStream extends Duplex {
  private readonly child: ChildProcessWithoutNullStreams;
  private received = 0;
  private said = '';
  private ended = false;

  /** @param command as the user configured it, tokens expanded; the user's shell runs it, as with ssh(1) */
  constructor(command: string, shell = process.env.SHELL || '/bin/sh') {
    super({ allowHalfOpen: true });
    this.on('error', () => {});
    // A group of its own, so that what the shell starts ends with it.
    this.child = spawn(shell, ['-c', `exec ${command}`], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const { stdin, stdout, stderr } = this.child;
    stdin.on('error', () => {});
    stdout.on('error', () => {});
    stderr.on('error', () => {});
    this.child.on('error', (error) => this.destroy(this.failure(error.message)));
    this.child.on('close', (code, signal) => {
      this.ended = true;
      this.destroy(this.failure(signal === null ? `exit status ${code}` : `killed by ${signal}`));
    });
    stdout.on('data', (chunk: Buffer) => {
      this.received += chunk.length;
      if (!this.push(chunk)) stdout.pause();
    });
    stderr.on('data', (chunk: Buffer) => {
      this.said = `${this.said}${chunk}`.slice(-2000);
    });
  }

  get bytesRead(): number {
    return this.received;
  }

  override _read(): void {
    this.child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.child.stdin.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    this.child.stdin.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.child.stdin.destroy();
    this.child.stdout.destroy();
    this.child.stderr.destroy();
    if (!this.ended) {
      this.killGroup('SIGTERM');
      const timer = setTimeout(() => this.killGroup('SIGKILL'), graceMs);
      timer.unref();
      this.child.once('exit', () => clearTimeout(timer));
    }
    done(error);
  }

  private killGroup(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      // Gone already, which is what was wanted.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  private failure(why: string): SallyportError {
    const last = plainText(this.said.trim().split('\n').at(-1) ?? '');
    return new SallyportError('proxy_failed', `the proxy command ended: ${last === '' ? why : `${last} (${why})`}`);
  }
}
