// A small SSH server for the demo and the tests: forwards in both directions and Unix sockets, one user key, no
// shell. It can be paused, delayed or made to drop its clients, as networks do.
import net from 'node:net';
import ssh2, {
  type Connection,
  type ParsedKey,
  type ServerChannel,
  type SocketBindInfo,
  type TcpipBindInfo,
} from 'ssh2';

export interface KeyPair {
  /** OpenSSH format. */
  readonly privateKey: string;
  /** One line, as in authorized_keys. */
  readonly publicKey: string;
}

/** A fresh ed25519 pair. */
export function makeKeyPair(comment: string): KeyPair {
  for (;;) {
    const { private: privateKey, public: publicKey } = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    // ssh2 drops the leading zeros of the public part: one pair in 256 is cut short, and it cannot read that itself.
    const readable = [privateKey, publicKey].every((text) => !(ssh2.utils.parseKey(text) instanceof Error));
    if (readable) return { privateKey, publicKey };
  }
}

export interface ServerOptions {
  readonly hostKey: KeyPair;
  /** The one key that is let in, for every user name. */
  readonly userKey: Pick<KeyPair, 'publicKey'>;
  /** 0: any free port. */
  readonly port?: number;
}

export interface SmallServer {
  readonly port: number;
  /** Answers channel opens and forward requests so much later, ms. */
  delay(ms: number): void;
  /** Goes silent without closing anything, as a host does whose network is gone. New clients get no banner. */
  pause(): void;
  resume(): void;
  /** Resets every client's connection. */
  drop(): void;
  stop(): Promise<void>;
}

/** Starts the server on 127.0.0.1. */
export async function startServer({ hostKey, userKey, port = 0 }: ServerOptions): Promise<SmallServer> {
  const allowed = ssh2.utils.parseKey(userKey.publicKey) as ParsedKey;
  const sockets = new Set<net.Socket>();
  let paused = false;
  let delayMs = 0;
  const later = (answer: () => void) => void (delayMs === 0 ? answer() : setTimeout(answer, delayMs));

  const ssh = new ssh2.Server({ hostKeys: [hostKey.privateKey], ident: 'sallyport-demo' }, (client) => {
    admit(client, allowed);
    carry(client, later);
  });
  const listener = net.createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (paused) socket.pause();
    else ssh.injectSocket(socket);
  });
  await listening(listener, { host: '127.0.0.1', port });

  return {
    port: (listener.address() as net.AddressInfo).port,
    delay(ms) {
      delayMs = ms;
    },
    pause() {
      paused = true;
      for (const socket of sockets) socket.pause();
    },
    resume() {
      paused = false;
      // Those that came meanwhile were never greeted; they are let go, and come again.
      for (const socket of sockets) {
        if (socket.listenerCount('data') === 0) socket.destroy();
        else socket.resume();
      }
    },
    drop() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async stop() {
      const closed = new Promise((resolve) => listener.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function admit(client: Connection, allowed: ParsedKey): void {
  client.on('error', () => {});
  client.on('authentication', (request) => {
    if (request.method !== 'publickey') return request.reject(['publickey']);
    const same = request.key.algo === allowed.type && allowed.getPublicSSH().equals(request.key.data);
    // Without a signature the client only asks whether the key would do (RFC 4252 section 7).
    const proven =
      request.signature === undefined ||
      (request.blob !== undefined && allowed.verify(request.blob, request.signature, request.hashAlgo) === true);
    if (same && proven) request.accept();
    else request.reject(['publickey']);
  });
}

/** Direct and forwarded channels (RFC 4254 section 7) and their Unix-socket kin (OpenSSH PROTOCOL 2.4). */
function carry(client: Connection, later: (answer: () => void) => void): void {
  const listeners = new Map<string, net.Server>();
  client.on('close', () => {
    for (const listener of listeners.values()) listener.close();
    listeners.clear();
  });
  client.on('tcpip', (accept, reject, { destIP, destPort }) => {
    later(() =>
      dial(net.connect({ host: destIP, port: destPort, allowHalfOpen: true, noDelay: true }), accept, reject),
    );
  });
  client.on('openssh.streamlocal', (accept, reject, { socketPath }) => {
    later(() => dial(net.connect({ path: socketPath, allowHalfOpen: true }), accept, reject));
  });
  // The declared types know only some of the requests.
  client.on('request', (accept: unknown, reject: unknown, name: string, info: unknown) => {
    const yes = (port?: number) => (accept as ((port?: number) => void) | undefined)?.(port);
    const no = () => (reject as (() => void) | undefined)?.();
    later(() => void answer(client, listeners, name, info as TcpipBindInfo & SocketBindInfo).then(yes, no));
  });
}

/** Does a global request; resolves with the port granted, rejects where the answer is no. */
async function answer(
  client: Connection,
  listeners: Map<string, net.Server>,
  name: string,
  { bindAddr, bindPort, socketPath }: TcpipBindInfo & SocketBindInfo,
): Promise<number | undefined> {
  switch (name) {
    case 'tcpip-forward': {
      const listener = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
      await listening(listener, { host: bindHost(bindAddr), port: bindPort });
      const { port } = listener.address() as net.AddressInfo;
      listeners.set(`${bindAddr}:${port}`, listener);
      listener.on('connection', (socket) => {
        socket.on('error', () => {});
        client.forwardOut(bindAddr, port, socket.remoteAddress ?? '', socket.remotePort ?? 0, joinTo(socket));
      });
      return port;
    }
    case 'streamlocal-forward@openssh.com': {
      const listener = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
      await listening(listener, { path: socketPath });
      listeners.set(socketPath, listener);
      listener.on('connection', (socket) => {
        socket.on('error', () => {});
        client.openssh_forwardOutStreamLocal(socketPath, joinTo(socket));
      });
      return undefined;
    }
    case 'cancel-tcpip-forward':
    case 'cancel-streamlocal-forward@openssh.com': {
      const key = name.includes('stream') ? socketPath : `${bindAddr}:${bindPort}`;
      const listener = listeners.get(key);
      if (listener === undefined) throw new Error('not listening there');
      listeners.delete(key);
      listener.close();
      return undefined;
    }
    default:
      throw new Error('unknown request');
  }
}

/** Empty and `*` mean every address, `localhost` the loopback (RFC 4254 section 7.1). */
function bindHost(address: string): string | undefined {
  if (address === '' || address === '*') return undefined;
  return address === 'localhost' ? '127.0.0.1' : address;
}

function listening(listener: net.Server, where: net.ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => listener.once('error', reject).listen(where, () => resolve()));
}

/** Opens the channel once the target answers, so that a refusal is a refusal at the other end too. */
function dial(socket: net.Socket, accept: () => ServerChannel, reject: () => void): void {
  socket.once('error', reject);
  socket.once('connect', () => {
    socket.off('error', reject);
    const channel = accept();
    if (channel === undefined) socket.destroy();
    else join(channel, socket);
  });
}

const joinTo = (socket: net.Socket) => (error: Error | undefined, channel: ServerChannel) => {
  if (error !== undefined) socket.resetAndDestroy();
  else join(channel, socket);
};

/**
 * Both ways at once; an end crosses as an end once everything before it has, a failure as a failure. Ending the channel
 * as a stream would close it both ways, so its EOF is sent by itself.
 */
function join(channel: ServerChannel, socket: net.Socket): void {
  let [channelEnded, socketEnded] = [false, false];
  const closeAfterBoth = () => {
    if (channelEnded && socketEnded) channel.close();
  };
  channel.on('error', () => socket.destroy());
  channel.on('close', () => (channelEnded ? socket.destroySoon() : socket.resetAndDestroy()));
  channel.on('end', () => {
    channelEnded = true;
    closeAfterBoth();
  });
  socket.on('error', () => channel.close());
  socket.on('end', () => {
    channel.write('', () => {
      socketEnded = true;
      channel.eof();
      closeAfterBoth();
    });
  });
  channel.pipe(socket);
  socket.pipe(channel, { end: false });
}
