import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Mapping } from '../../model/config.ts';
import { parseDuration } from '../../model/duration.ts';
import { formatEndpoint } from '../../model/endpoint.ts';
import type { Flow } from '../flows.ts';
import { hostPort, plainAddress } from '../sockets/address.ts';
import type { BindAddress } from '../sockets/bind.ts';
import { bindAll } from '../sockets/bind-all.ts';
import { dialError } from '../sockets/errors.ts';
import type { ForwardContext } from './context.ts';
import { mappingPorts, relayAddress, shownPorts } from './mapping-ports.ts';
import { OwnListener } from './own-listener.ts';
import { openRange } from './port-range.ts';
import type { RelayListener } from './relay-tcp.ts';

const idleDefaultMs = 60_000;
const associationsDefault = 1024;
/** One that was silent for so long may be dropped for a new client when all places are taken. */
const evictableMs = 1000;
/** Datagrams kept while the target's name is being resolved. */
const queueLength = 64;
const kernelBufferBytes = 1 << 20;

/** A datagram socket bound to an external port. */
interface External {
  readonly port: number;
  readonly socket: dgram.Socket;
  close(): void;
}

/** One client's datagrams: a socket of its own, connected to the target, so that answers find back. */
interface Association {
  readonly key: string;
  readonly flow: Flow;
  /** Null until the target is resolved. */
  socket: dgram.Socket | null;
  queue: Buffer[];
  lastMs: number;
}

/**
 * Takes datagrams on the mapping's ports; each client gets an association, ended after idle time.
 * @throws SallyportError as `bindAll`; then no port is held
 */
export async function relayUdp(mapping: Mapping, context: ForwardContext): Promise<RelayListener> {
  const ports = mappingPorts(mapping);
  const address = mapping.listen.address ?? relayAddress;
  const relay = new UdpRelay(mapping, context);
  let shown = address;
  const { close } = await openRange(ports, context.descriptors, async (port) => {
    const bound = await bindAll('udp', address, port, bindSocket, context.holder);
    shown = bound.shown;
    for (const { socket } of bound.sockets) relay.serve(socket, port, port + ports.shift);
    return {
      close: () => {
        for (const external of bound.sockets) external.close();
      },
    };
  });
  return {
    shown: shownPorts(shown, ports),
    close: () => {
      close();
      relay.close();
    },
  };
}

/** An address is one already: Node would else ask the resolver for each datagram. */
function noLookup(host: string, family: number, done: (error: null, address: string, family: number) => void): void {
  done(null, host, family);
}

function bindSocket({ dualStack }: BindAddress, host: string, port: number): Promise<External> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket({
      type: net.isIPv6(host) ? 'udp6' : 'udp4',
      ipv6Only: net.isIPv6(host) && !dualStack,
      lookup: noLookup as never,
    });
    const close = once(() => socket.close());
    socket.once('error', (error) => {
      close();
      reject(error);
    });
    socket.bind({ port, address: host, exclusive: true }, () => {
      socket.removeAllListeners('error');
      socket.on('error', () => {});
      grow(socket);
      resolve({ socket, port: socket.address().port, close });
    });
  });
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}

/** Room for a burst while the thread is busy; the kernel may grant less. */
function grow(socket: dgram.Socket): void {
  try {
    socket.setRecvBufferSize(kernelBufferBytes);
    socket.setSendBufferSize(kernelBufferBytes);
  } catch {
    // Then the default must do.
  }
}

class UdpRelay {
  private readonly mapping: Mapping;
  private readonly context: ForwardContext;
  private readonly own: OwnListener;
  /** Least recently used first. */
  private readonly associations = new Map<string, Association>();
  private readonly most: number;
  private readonly idleMs: number;
  private sweep: NodeJS.Timeout | null = null;
  private clockMs = performance.now();
  /** Before then nobody can be evicted, so a flood of new clients is not worth a look at all of them each. */
  private evictableAtMs = 0;

  constructor(mapping: Mapping, context: ForwardContext) {
    this.mapping = mapping;
    this.context = context;
    this.own = new OwnListener(mapping);
    this.most = mapping.maxFlows ?? associationsDefault;
    this.idleMs = mapping.idleFlow === undefined ? idleDefaultMs : parseDuration(mapping.idleFlow);
  }

  serve(external: dgram.Socket, port: number, targetPort: number): void {
    external.on('message', (datagram, from) => {
      const key = `${from.address} ${from.port} ${port}`;
      const association = this.associations.get(key) ?? this.begin(key, external, from, port, targetPort);
      if (association !== null) this.forward(association, datagram);
    });
  }

  /** Ends all associations: without the external socket no answer gets back. */
  close(): void {
    for (const association of [...this.associations.values()]) this.end(association);
  }

  private begin(
    key: string,
    external: dgram.Socket,
    from: dgram.RemoteInfo,
    port: number,
    targetPort: number,
  ): Association | null {
    if (this.associations.size >= this.most) this.evict();
    const target = { host: this.mapping.target.host, port: targetPort };
    const { gate, triggers } = this.context;
    const address = plainAddress(from.address);
    const flow = gate.admit({
      proto: 'udp',
      address,
      port: from.port,
      local: hostPort(plainAddress(external.address().address), port),
      target: formatEndpoint(target),
      descriptors: 1,
    });
    if (flow === null) return null;
    const destination = { proto: 'udp', ...target, link: null } as const;
    const unresolved = triggers.began(flow, destination);
    const association: Association = { key, flow, socket: null, queue: [], lastMs: performance.now() };
    flow.cut = () => this.end(association);
    this.associations.set(key, association);
    this.sweep ??= this.startSweep();
    void this.connect(association, target, (back) => {
      external.send(back, from.port, from.address, this.sent);
    }).then((host) => {
      if (host !== null && unresolved) triggers.began(flow, { ...destination, host });
    });
    return association;
  }

  /** Resolves and connects; the target's address, or null when there is none. */
  private async connect(
    association: Association,
    target: { host: string; port: number },
    answer: (datagram: Buffer) => void,
  ): Promise<string | null> {
    const { flow } = association;
    const { notes, gate } = this.context;
    try {
      this.own.refuseKnown(target);
      const host = await this.context.device(target.host);
      const { address, family } = net.isIP(host) === 0 ? await lookup(host) : { address: host, family: net.isIP(host) };
      if (flow.ended) return null;
      const socket = dgram.createSocket({ type: family === 6 ? 'udp6' : 'udp4', lookup: noLookup as never });
      // A target that refuses says so on a later datagram; the client may find it open the next time.
      socket.on('error', (error) => notes.say('warn', dialError(error, target).code, dialError(error, target).message));
      socket.on('message', (datagram) => {
        if (gate.limits.receiving?.tryTake(datagram.length) === false) {
          this.dropped();
          return;
        }
        association.lastMs = this.clockMs;
        flow.received(datagram.length);
        answer(datagram);
      });
      await new Promise<void>((resolve) => socket.connect(target.port, address, resolve));
      try {
        await this.own.refuse(target, () => ({ local: socket.address().address, remote: address }));
      } catch (error) {
        socket.close();
        throw error;
      }
      if (flow.ended) {
        socket.close();
        return null;
      }
      grow(socket);
      association.socket = socket;
      for (const datagram of association.queue.splice(0)) socket.send(datagram, this.sent);
      return address;
    } catch (error) {
      const { code, message } = dialError(error, target);
      notes.say('warn', code, message);
      this.end(association);
      return null;
    }
  }

  private forward(association: Association, datagram: Buffer): void {
    if (this.context.gate.limits.sending?.tryTake(datagram.length) === false) {
      this.dropped();
      return;
    }
    association.lastMs = this.clockMs;
    association.flow.sent(datagram.length);
    if (association.socket !== null) association.socket.send(datagram, this.sent);
    else if (association.queue.length < queueLength) association.queue.push(datagram);
    else this.dropped();
  }

  /** A datagram that could not be sent is lost, as datagrams are; the target's refusal comes by the socket's error. */
  private readonly sent = (error: Error | null): void => {
    if (error !== null) this.dropped();
  };

  private dropped(): void {
    this.context.notes.say('info', 'udp_dropped', 'datagrams dropped: over the rate, or no room in the kernel');
  }

  /** Makes room by ending the association that was silent longest, unless that is in use. */
  private evict(): void {
    const now = performance.now();
    if (now < this.evictableAtMs) return;
    let oldest: Association | null = null;
    for (const association of this.associations.values()) {
      if (oldest === null || association.lastMs < oldest.lastMs) oldest = association;
    }
    if (oldest === null) return;
    if (now - oldest.lastMs >= evictableMs) this.end(oldest);
    else this.evictableAtMs = oldest.lastMs + evictableMs;
  }

  private end(association: Association): void {
    this.associations.delete(association.key);
    association.socket?.close();
    association.socket = null;
    association.flow.end();
    if (this.associations.size === 0) this.stopSweep();
  }

  /** Also keeps the clock, so that a datagram costs no look at it. */
  private startSweep(): NodeJS.Timeout {
    this.clockMs = performance.now();
    return setInterval(
      () => {
        this.clockMs = performance.now();
        for (const association of [...this.associations.values()]) {
          if (this.clockMs - association.lastMs >= this.idleMs) this.end(association);
        }
      },
      Math.min(1000, Math.max(10, this.idleMs / 8)),
    ).unref();
  }

  private stopSweep(): void {
    if (this.sweep !== null) clearInterval(this.sweep);
    this.sweep = null;
  }
}
