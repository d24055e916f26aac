// One control master: the ssh process that holds the connection.
import { type ChildProcess, spawn } from 'node:child_process';
import { SallyportError } from '../../../model/errors.ts';
import { masterFailure, silence } from './failures.ts';
import { Lifeline } from './lifeline.ts';
import { LineCutter, type LogEvent, readLogLine } from './master-log.ts';

export interface Peer {
  address: string;
  cipher: string;
  kex: string;
  serverVersion: string;
}

export interface MasterOptions {
  readonly ssh: string;
  readonly args: readonly string[];
  /** Where `args` put the control socket. */
  readonly controlPath: string;
  readonly env: NodeJS.ProcessEnv;
  /** Whether a person is being asked, which may take any time. */
  readonly asking: () => boolean;
  /** Longest silence before the connection is up. */
  readonly quietMs?: number;
}

const keptLines = 200;
const termGraceMs = 2000;
/** Lines may still be on their way when the process is gone. */
const drainMs = 200;

export class Master {
  /** Resolves with the reason once the process is gone. */
  readonly ended: Promise<SallyportError>;
  private readonly child: ChildProcess;
  private readonly listeners = new Set<(event: LogEvent) => void>();
  private readonly lines: string[] = [];
  private readonly peer: Peer = { address: '', cipher: '', kex: '', serverVersion: '' };
  private up = false;
  private gone = false;
  private lifeline: Lifeline | null = null;
  private stuck: SallyportError | null = null;
  private becameUp: () => void = () => {};
  private readonly isUp = new Promise<void>((resolve) => {
    this.becameUp = resolve;
  });
  private watchdog: NodeJS.Timeout | null = null;
  private readonly options: MasterOptions;

  constructor(options: MasterOptions) {
    this.options = options;
    // A group of its own: its end takes proxies along, and no terminal is there to be asked at.
    this.child = spawn(options.ssh, options.args, {
      detached: true,
      env: options.env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.ended = this.watch();
  }

  get alive(): boolean {
    return !this.gone && (this.lifeline?.alive ?? true);
  }

  /** Asks the process itself, which tells an end it meant from its own. */
  async checkAlive(): Promise<boolean> {
    return !this.gone && ((await this.lifeline?.check()) ?? false);
  }

  onLog(listener: (event: LogEvent) => void): void {
    this.listeners.add(listener);
  }

  /**
   * Resolves when the connection is up.
   * @throws SallyportError why it did not come about; the signal's reason
   */
  async ready(signal: AbortSignal): Promise<Peer> {
    signal.throwIfAborted();
    let onAbort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      const failure = await Promise.race([this.isUp.then(() => null), this.ended, aborted]);
      if (failure !== null) throw failure;
      return this.peer;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Ends the process and what it started. Resolves once it is gone; can be called twice. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    const hard = setTimeout(() => this.signal('SIGKILL'), termGraceMs);
    await this.ended;
    clearTimeout(hard);
  }

  private signal(name: NodeJS.Signals): void {
    const { pid, exitCode, signalCode } = this.child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      process.kill(-pid, name);
    } catch {
      this.child.kill(name);
    }
  }

  private watch(): Promise<SallyportError> {
    const { child } = this;
    const cutter = new LineCutter((line) => this.line(line));
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => cutter.push(chunk));
    this.restartWatchdog();
    return new Promise((resolve) => {
      const finish = (error: SallyportError) => {
        this.gone = true;
        this.lifeline?.close();
        if (this.watchdog !== null) clearTimeout(this.watchdog);
        this.watchdog = null;
        resolve(error);
      };
      child.once('error', (cause) => {
        finish(new SallyportError('carrier_missing', 'ssh cannot be started', 'install the OpenSSH client', { cause }));
      });
      child.once('exit', (code, signal) => {
        const exit = signal === null ? `exit code ${code}` : signal;
        const timer = setTimeout(() => done(), drainMs);
        const done = () => {
          clearTimeout(timer);
          finish(this.stuck ?? masterFailure(this.lines, this.up, exit));
        };
        if (child.stderr?.readableEnded) done();
        else child.stderr?.once('end', done);
      });
    });
  }

  private line(line: string): void {
    this.restartWatchdog();
    this.lines.push(line);
    if (this.lines.length > keptLines) this.lines.shift();
    const event = readLogLine(line);
    if (event === null) return;
    if (event.is === 'kex') this.peer.kex = event.algorithm;
    if (event.is === 'cipher') this.peer.cipher = event.cipher;
    if (event.is === 'version') this.peer.serverVersion = event.software;
    if (event.is === 'authenticated') this.peer.address = event.address;
    if (event.is === 'interactive') {
      this.up = true;
      this.holdLifeline();
    }
    for (const listener of this.listeners) listener(event);
  }

  private holdLifeline(): void {
    this.lifeline = new Lifeline(this.options.controlPath);
    void this.lifeline.opened.then((opened) => (opened ? this.becameUp() : this.signal('SIGTERM')));
  }

  /** ConnectTimeout of ssh ends with the banner: a server that stalls later would hold it for ever. */
  private restartWatchdog(): void {
    if (this.watchdog !== null) clearTimeout(this.watchdog);
    this.watchdog = null;
    if (this.up) return;
    this.watchdog = setTimeout(() => {
      if (this.options.asking()) {
        this.restartWatchdog();
        return;
      }
      this.stuck = silence(this.lines);
      this.signal('SIGTERM');
    }, this.options.quietMs ?? 60_000);
  }
}
