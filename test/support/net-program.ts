// The real program inside a host of a topology, with a home of its own.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { dialEngine } from '../../src/client/client.ts';
import type { EngineEvent } from '../../src/model/event.ts';
import { findHome } from '../../src/model/home.ts';
import type { ForwardView } from '../../src/model/snapshot.ts';
import { root } from './global-setup.ts';
import type { NetHost, Ran, Topology } from './netns.ts';
import { until } from './until.ts';

const launcher = path.join(root, 'bin', 'sallyport');

export class Program {
  readonly dir = mkdtempSync(path.join(os.tmpdir(), 'sallyport-'));
  private readonly net: Topology;
  private readonly host: NetHost;
  private readonly wrapper: readonly string[];
  private readonly env: NodeJS.ProcessEnv;

  /** @param wrapper put before the program, as `setpriv …` */
  constructor(net: Topology, host: NetHost, wrapper: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    this.net = net;
    this.host = host;
    this.wrapper = wrapper;
    this.env = { ...process.env, NO_COLOR: '1', ...env, SALLYPORT_HOME: this.dir };
  }

  /** Runs a command to its end. */
  async run(...args: string[]): Promise<Ran> {
    const child = this.net.spawn(this.host, [...this.wrapper, launcher, ...args], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    const [code] = await once(child, 'close');
    return { code: code ?? -1, stdout, stderr };
  }

  /** As `run`, but anything but success throws. */
  async must(...args: string[]): Promise<string> {
    const ran = await this.run(...args);
    if (ran.code !== 0) throw new Error(`sallyport ${args.join(' ')}: exit ${ran.code}: ${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  }

  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.must(...args, '--json')) as T;
  }

  /** One forward as `ls --json` has it. */
  async view(name: string): Promise<ForwardView> {
    const views = await this.json<ForwardView[]>('ls');
    const found = views.find((view) => view.name === name);
    if (found === undefined) throw new Error(`no ${name} among ${views.map((view) => view.name).join(', ')}`);
    return found;
  }

  async events(): Promise<EngineEvent[]> {
    const text = await this.must('events', '--json');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as EngineEvent);
  }

  /** Waits until an event of this code was told. */
  event(code: string, options?: { timeoutMs?: number }): Promise<EngineEvent> {
    return until(`event ${code}`, async () => (await this.events()).findLast((event) => event.code === code), {
      everyMs: 250,
      ...options,
    });
  }

  async enginePid(): Promise<number> {
    return (await this.json<{ pid: number }>('engine', 'status')).pid;
  }

  /** As a crash or the kernel would: no goodbye. */
  async killEngine(): Promise<void> {
    process.kill(await this.enginePid(), 'SIGKILL');
    await until('the engine to be gone', async () => (await dialEngine(this.socket)) === null);
  }

  /** Removes every forward, so that one test leaves nothing to the next. */
  async clear(): Promise<void> {
    await this.must('rm', '--all');
  }

  async close(): Promise<void> {
    await this.run('engine', 'stop');
    rmSync(this.dir, { recursive: true, force: true });
  }

  private get socket(): string {
    return findHome({ SALLYPORT_HOME: this.dir }).socket;
  }
}
