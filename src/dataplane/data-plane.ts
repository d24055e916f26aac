import { toFailure } from '../model/errors.ts';
import type { SshCarrier } from '../model/host.ts';
import type { LinkFactory } from './carriers/link-context.ts';
import type { Descriptors } from './descriptors.ts';
import { FlowTable } from './flows.ts';
import type { DeviceFinder } from './forwards/context.ts';
import { Links } from './links.ts';
import type { Command, Runnable, WorkerEvent } from './messages.ts';
import { KnownPeers } from './peers.ts';
import { Run } from './run.ts';
import type { PortHolder } from './sockets/errors.ts';
import { TriggerWatcher } from './triggers.ts';

export interface DataPlaneParts {
  /** Prefix of flow ids, unique to this worker in the process. */
  readonly mark: string;
  readonly linkFactories: Readonly<Record<SshCarrier, LinkFactory>>;
  readonly descriptors: Descriptors;
  readonly holder: PortHolder;
  readonly device: DeviceFinder;
  send(event: WorkerEvent): void;
}

/** A worker without its thread: commands in, events out. */
export class DataPlane {
  private readonly parts: DataPlaneParts;
  private readonly table: FlowTable;
  private readonly links: Links;
  private readonly triggers: TriggerWatcher;
  private readonly knownPeers = new KnownPeers();
  private readonly runs = new Map<string, Run>();
  /** What is under way for each run's id: commands for one id are carried out one after another. */
  private readonly turns = new Map<string, Promise<void>>();

  constructor(parts: DataPlaneParts) {
    this.parts = parts;
    this.table = new FlowTable(parts.mark);
    this.links = new Links(parts.linkFactories, parts.send);
    this.triggers = new TriggerWatcher(parts.send);
  }

  /** Carries out a command. Never throws: what goes wrong is told by an event. */
  handle(command: Command): void {
    try {
      this.dispatch(command);
    } catch (error) {
      this.defect(error, null);
    }
  }

  /** Reports what nobody caught; the worker goes on. */
  defect(error: unknown, forward: string | null): void {
    const { code, message } = toFailure(error);
    this.parts.send({ on: 'note', level: 'error', forward, code, message });
  }

  private dispatch(command: Command): void {
    const { send } = this.parts;
    switch (command.do) {
      case 'link':
        this.redefine(command);
        break;
      case 'timings':
        this.links.setTimings(command.timings);
        break;
      case 'start':
        this.inTurn(command.runnable.id, () => this.start(command.runnable));
        break;
      case 'stop':
        this.inTurn(command.id, async () => {
          await this.stop(command.id, command.cutFlows);
          send({ on: 'stopped', id: command.id });
        });
        break;
      case 'retry':
        this.links.get(command.link)?.retry();
        break;
      case 'answer':
        this.links.answer(command.prompt, command.answer);
        break;
      case 'triggers':
        this.triggers.arm(command.watches);
        break;
      case 'flows':
        send({ on: 'flows', request: command.request, flows: this.table.list(command.forward) });
        break;
      case 'kill':
        send({ on: 'killed', request: command.request, found: this.table.kill(command.flow) });
        break;
      case 'shutdown':
        void this.shutdown();
        break;
    }
  }

  /** Runs over a link that was redefined move to the new one. */
  private redefine({ spec }: Extract<Command, { do: 'link' }>): void {
    const old = this.links.define(spec);
    if (old === null) return;
    const users = [...this.runs.values()].filter(({ runnable }) => runnable.link === spec.id);
    for (const { runnable } of users) this.inTurn(runnable.id, () => this.start(runnable));
    void Promise.allSettled(users.map(({ runnable }) => this.turns.get(runnable.id))).then(() => old.stop());
  }

  private async start(runnable: Runnable): Promise<void> {
    await this.stop(runnable.id, false);
    try {
      const link = runnable.link === null ? null : this.links.get(runnable.link);
      const { parts, table, triggers, knownPeers } = this;
      const run = new Run(runnable, link, { ...parts, table, triggers, knownPeers });
      this.runs.set(runnable.id, run);
      await run.start();
    } catch (error) {
      this.parts.send({ on: 'listener', id: runnable.id, status: { is: 'failed', error: toFailure(error) } });
    }
  }

  private async stop(id: string, cutFlows: boolean): Promise<void> {
    const run = this.runs.get(id);
    this.runs.delete(id);
    await run?.stop(cutFlows);
  }

  private async shutdown(): Promise<void> {
    this.triggers.stop();
    await Promise.allSettled(this.turns.values());
    await Promise.allSettled([...this.runs.keys()].map((id) => this.stop(id, true)));
    await this.links.stop();
    this.parts.send({ on: 'bye' });
  }

  private inTurn(id: string, act: () => Promise<void>): void {
    const turn = (this.turns.get(id) ?? Promise.resolve()).then(act).catch((error) => this.defect(error, id));
    this.turns.set(id, turn);
    void turn.then(() => {
      if (this.turns.get(id) === turn) this.turns.delete(id);
    });
  }
}
