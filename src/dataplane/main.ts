// The worker thread: a data plane wired to its parent's port.
import { parentPort, threadId, workerData } from 'node:worker_threads';
import { deviceFinder } from '../machine/internal-host.ts';
import { formatHolder, portHolder } from '../machine/sockets.ts';
import { linkFactories } from './carriers/factories.ts';
import { DataPlane } from './data-plane.ts';
import { Descriptors, descriptorLimit } from './descriptors.ts';
import type { Command, WorkerEvent } from './messages.ts';

/** What the control thread may hand to a worker it starts. */
export interface WorkerData {
  /** How many workers share the process's file descriptors; 1 where it is not said. */
  readonly workers?: number;
}

function main(port: NonNullable<typeof parentPort>): void {
  const { workers = 1 } = (workerData ?? {}) as WorkerData;
  const plane = new DataPlane({
    mark: String(threadId),
    linkFactories,
    descriptors: new Descriptors(descriptorLimit(), workers),
    holder: async (proto, address, listenPort) => {
      const found = await portHolder(proto, address, listenPort);
      return found === null ? null : formatHolder(found);
    },
    device: deviceFinder(),
    send: (event: WorkerEvent) => {
      port.postMessage(event);
      // Nothing is left to do, and a forgotten handle must not keep the thread.
      if (event.on === 'bye') setImmediate(() => process.exit(0));
    },
  });
  // One forward's defect must not end the others: it is told, and the worker goes on.
  process.on('uncaughtException', (error) => plane.defect(error, null));
  process.on('unhandledRejection', (error) => plane.defect(error, null));
  port.on('message', (command: Command) => plane.handle(command));
}

if (parentPort !== null) main(parentPort);
