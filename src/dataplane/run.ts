import { SallyportError, toFailure } from '../model/errors.ts';
import type { ListenerStatus } from '../model/state.ts';
import type { Link } from './carriers/carrier.ts';
import { CounterCell } from './counters.ts';
import type { Descriptors } from './descriptors.ts';
import type { FlowTable } from './flows.ts';
import type { DeviceFinder, ForwardContext, RunningForward } from './forwards/context.ts';
import { DynamicForward } from './forwards/dynamic.ts';
import { Gate } from './forwards/gate.ts';
import { LocalForward } from './forwards/local.ts';
import { RelayForward } from './forwards/relay.ts';
import { RemoteForward } from './forwards/remote.ts';
import type { Runnable, WorkerEvent } from './messages.ts';
import { Notes } from './notes.ts';
import { type KnownPeers, PeerWatch } from './peers.ts';
import { Prober } from './probe.ts';
import type { PortHolder } from './sockets/errors.ts';
import type { TriggerWatcher } from './triggers.ts';

/** What all runs of a worker share. */
export interface RunParts {
  readonly table: FlowTable;
  readonly descriptors: Descriptors;
  readonly triggers: TriggerWatcher;
  readonly holder: PortHolder;
  readonly device: DeviceFinder;
  readonly knownPeers: KnownPeers;
  send(event: WorkerEvent): void;
}

/** In the id of what a trigger opened: connections through it come in, and are no calls of a host inside. */
const openedBy = '/open/';
const deaf: ForwardContext['triggers'] = { began: () => false };

/** One runnable from start to stop. Whatever goes wrong in it is reported for it, and stays in it. */
export class Run {
  readonly runnable: Runnable;
  private readonly parts: RunParts;
  private readonly gate: Gate;
  private readonly forward: RunningForward;
  private readonly prober: Prober | null;
  private readonly starting = new AbortController();
  private silent = false;

  constructor(runnable: Runnable, link: Link | null, parts: RunParts) {
    const { id, forward, probeMs } = runnable;
    this.runnable = runnable;
    this.parts = parts;
    const notes = new Notes((level, code, message) =>
      parts.send({ on: 'note', level, forward: forward.name, code, message }),
    );
    const { table, descriptors, holder, device } = parts;
    const triggers = id.includes(openedBy) ? deaf : parts.triggers;
    const peers = new PeerWatch(forward.name, parts.knownPeers, notes);
    this.gate = new Gate(runnable, { counters: new CounterCell(runnable.counters), table, descriptors, notes, peers });
    const status = (word: ListenerStatus) => this.status(word);
    this.forward = build(runnable, link, { gate: this.gate, notes, triggers, descriptors, holder, device, status });
    this.prober =
      probeMs === null
        ? null
        : new Prober(this.forward, probeMs, link, (word) => parts.send({ on: 'probe', id, status: word }));
  }

  async start(): Promise<void> {
    try {
      await this.forward.start(this.starting.signal);
      this.prober?.start();
    } catch (error) {
      await this.forward.stop().catch(() => {});
      this.status({ is: 'failed', error: toFailure(error) });
    }
  }

  /** Lets go of the listeners; the flows are cut or left to end. Can be called twice. */
  async stop(cutFlows: boolean): Promise<void> {
    this.starting.abort(new SallyportError('expired', 'stopped'));
    this.prober?.stop();
    try {
      await this.forward.stop();
    } finally {
      if (cutFlows) this.gate.cutAll();
      this.status({ is: 'closed' });
      this.silent = true;
      const closed = this.gate.close();
      if (cutFlows) await closed;
    }
  }

  private status(status: ListenerStatus): void {
    if (!this.silent) this.parts.send({ on: 'listener', id: this.runnable.id, status });
  }
}

function build({ forward }: Runnable, link: Link | null, context: ForwardContext): RunningForward {
  if (forward.kind === 'mapping') return new RelayForward(forward, context);
  if (link === null) throw new SallyportError('internal', `${forward.name} needs a link that is not defined`);
  switch (forward.kind) {
    case 'local':
      return new LocalForward(forward, link, context);
    case 'remote':
      return new RemoteForward(forward, link, context);
    case 'dynamic':
      return new DynamicForward(forward, link, context);
  }
}
