import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { GatewayRule } from '../../src/gateways/gateway.ts';
import type { RouterOptions } from '../../src/gateways/router/router.ts';
import { type Failure, SallyportError } from '../../src/model/errors.ts';
import type { RouterReport } from '../../src/model/reports.ts';
import type { ListenerStatus } from '../../src/model/state.ts';
import type { NetHost, Topology } from './netns.ts';
import { until } from './until.ts';

type Plain = Omit<RouterOptions, 'reports' | 'now'>;

/** The router gateway on a host of a topology, in a process of its own. */
export class RouterClient {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, PromiseWithResolvers<unknown>>();
  private next = 1;
  /** Every status reported, in order. */
  readonly statuses: (ListenerStatus & { owner: string })[] = [];
  readonly notes: { level: string; owner: string | null; code: string; message: string }[] = [];
  stderr = '';

  private constructor(child: ChildProcess) {
    this.child = child;
    child.stderr?.on('data', (chunk) => {
      this.stderr += chunk;
    });
    child.once('exit', () => {
      for (const { reject } of this.waiting.values()) reject(new Error(`the agent ended: ${this.stderr}`));
    });
    if (child.stdout === null) throw new Error('no output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { id, value, error, status, note } = JSON.parse(line);
      if (status) this.statuses.push(status);
      else if (note) this.notes.push(note);
      else if (error) this.waiting.get(id)?.reject(SallyportError.from(error as Failure));
      else this.waiting.get(id)?.resolve(value);
    });
  }

  static async start(net: Topology, host: NetHost, options: Plain): Promise<RouterClient> {
    const agent = path.join(import.meta.dirname, 'router-agent.ts');
    const client = new RouterClient(net.spawn(host, [process.execPath, agent, JSON.stringify(options)]));
    const ready = Promise.withResolvers<unknown>();
    client.waiting.set(0, ready);
    await ready.promise;
    return client;
  }

  sync(...rules: readonly GatewayRule[]): Promise<unknown> {
    return this.call('sync', rules);
  }

  clear(): Promise<unknown> {
    return this.call('clear');
  }

  report(): Promise<RouterReport> {
    return this.call('report') as Promise<RouterReport>;
  }

  deleteMapping(proto: 'tcp' | 'udp', external: number): Promise<unknown> {
    return this.call('deleteMapping', proto, external);
  }

  /** The last status of an owner. */
  status(owner: string): ListenerStatus | undefined {
    return this.statuses.findLast((status) => status.owner === owner);
  }

  /** Waits until an owner stands so, and gives that status. */
  async reaches<S extends ListenerStatus['is']>(owner: string, is: S): Promise<Extract<ListenerStatus, { is: S }>> {
    await until(
      `${owner} to be ${is}`,
      () => {
        const status = this.status(owner);
        if (status?.is !== is) throw new Error(JSON.stringify([status, this.notes.slice(-5), this.stderr]));
        return true;
      },
      { timeoutMs: 25_000 },
    );
    return this.status(owner) as Extract<ListenerStatus, { is: S }>;
  }

  noted(code: string): number {
    return this.notes.filter((note) => note.code === code).length;
  }

  /** As a crash does. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    await this.call('stop');
    await this.kill();
  }

  private call(call: string, ...args: unknown[]): Promise<unknown> {
    const id = this.next++;
    const answer = Promise.withResolvers<unknown>();
    this.waiting.set(id, answer);
    this.child.stdin?.write(`${JSON.stringify({ id, call, args })}\n`);
    return answer.promise;
  }
}

export function rule(owner: string, external: number, internal: number, more: Partial<GatewayRule> = {}): GatewayRule {
  return {
    owner,
    proto: 'tcp',
    external: { address: null, first: external, last: external },
    internal: { address: '', first: internal },
    allow: [],
    deny: [],
    masquerade: false,
    helper: null,
    maxFlows: null,
    rateBytesPerSecond: null,
    ...more,
  };
}
