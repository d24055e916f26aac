import type net from 'node:net';
import type { Mapping } from '../../model/config.ts';
import { formatEndpoint } from '../../model/endpoint.ts';
import { dialDirect } from '../carriers/direct.ts';
import { proxyHeader } from '../proxy-protocol.ts';
import { plainAddress } from '../sockets/address.ts';
import { IntakeSocket, takeOver } from '../sockets/intake.ts';
import { listenTcp } from '../sockets/tcp-listener.ts';
import type { ForwardContext } from './context.ts';
import { mappingPorts, relayAddress, shownPorts } from './mapping-ports.ts';
import { OwnListener } from './own-listener.ts';
import { openRange } from './port-range.ts';
import { serve } from './serve.ts';

/** Accepted socket and target's socket. */
const descriptorsPerFlow = 2;

/** One transport of a mapping, listening. */
export interface RelayListener {
  /** Address and ports as shown, without the protocol. */
  readonly shown: string;
  close(): void;
}

/**
 * Takes TCP connections on the mapping's ports and connects each to its target.
 * @throws SallyportError as `listenTcp`; then no port is held
 */
export async function relayTcp(mapping: Mapping, context: ForwardContext): Promise<RelayListener> {
  const ports = mappingPorts(mapping);
  const address = mapping.listen.address ?? relayAddress;
  const own = new OwnListener(mapping);
  const accept = (socket: net.Socket, port: number) => connect(socket, port + ports.shift, mapping, own, context);
  const { opened, close } = await openRange(ports, context.descriptors, (port) =>
    listenTcp(address, port, accept, context.holder),
  );
  return { shown: shownPorts(opened[0]?.address ?? address, ports), close };
}

function connect(socket: net.Socket, port: number, mapping: Mapping, own: OwnListener, context: ForwardContext): void {
  const { gate, notes, triggers, device } = context;
  const target = { host: mapping.target.host, port };
  const flow = gate.admitSocket(socket, formatEndpoint(target), descriptorsPerFlow);
  if (flow === null) return;
  const destination = { proto: 'tcp', ...target, link: null } as const;
  const header = mapping.proxyProtocol === true ? headerFor(socket) : null;
  const unresolved = triggers.began(flow, destination);
  void serve(takeOver(socket), flow, {
    notes,
    limits: gate.limits,
    dial: async (signal) => {
      own.refuseKnown(target);
      const host = await device(target.host);
      const stream = await dialDirect({ ...target, host }, signal, (options) => new IntakeSocket(options));
      try {
        await own.refuse(target, () => ({ local: stream.localAddress, remote: stream.remoteAddress }));
      } catch (error) {
        stream.resetAndDestroy();
        throw error;
      }
      return stream;
    },
    connected: (stream) => {
      if (unresolved) triggers.began(flow, { ...destination, host: (stream as net.Socket).remoteAddress ?? '' });
      if (header !== null) stream.write(header);
    },
  });
}

function headerFor(client: net.Socket): Buffer {
  const { remoteAddress = '0.0.0.0', remotePort = 0, localAddress = '0.0.0.0', localPort = 0 } = client;
  return proxyHeader(
    { address: plainAddress(remoteAddress), port: remotePort },
    { address: plainAddress(localAddress), port: localPort },
  );
}
