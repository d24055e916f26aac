// The demo's set: an SSH server, services behind it, and a forward of every kind between them.
import dgram from 'node:dgram';
import { mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { Client } from '../client/client.ts';
import { makeKeyPair, type SmallServer, startServer } from '../dataplane/carriers/ssh2/server.ts';
import type { Forward } from '../model/config.ts';
import type { ForwardView } from '../model/snapshot.ts';
import { type Service, tcpEcho, tcpSource, udpEcho } from './services.ts';

/** Loopback, but not the address the services are on: an opened port and the one behind it have the same number. */
export const outside = '127.0.0.2';

export interface Stage {
  readonly ssh: SmallServer;
  readonly echo: Service;
  readonly udp: Service;
  readonly source: Service;
  /** What the trigger waits for a call to. */
  readonly chat: Service;
  /** What a caller offers on the port that opens. */
  readonly ident: Service;
  stop(): Promise<void>;
}

/** Starts the servers, and writes keys and the ssh configuration with `Host demo` into `dir`. */
export async function setStage(dir: string): Promise<Stage & { readonly sshConfig: string }> {
  const [hostKey, userKey] = [makeKeyPair('demo host'), makeKeyPair('demo user')];
  const ssh = await startServer({ hostKey, userKey });
  const services = await Promise.all([tcpEcho(), udpEcho(), tcpSource(), tcpEcho(), tcpEcho(await portFreeOutside())]);
  const [echo, udp, source, chat, ident] = services;
  const file = (name: string, text: string) => {
    const full = path.join(dir, name);
    writeFileSync(full, text, { mode: 0o600 });
    return full;
  };
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const identity = file('id_ed25519', userKey.privateKey);
  const knownHosts = file(
    'known_hosts',
    `[127.0.0.1]:${ssh.port} ${hostKey.publicKey.split(' ').slice(0, 2).join(' ')}\n`,
  );
  const sshConfig = file(
    'ssh_config',
    [
      'Host demo',
      '  HostName 127.0.0.1',
      `  Port ${ssh.port}`,
      '  User demo',
      `  IdentityFile "${identity}"`,
      '  IdentitiesOnly yes',
      '  IdentityAgent none',
      `  UserKnownHostsFile "${knownHosts}"`,
      '  GlobalKnownHostsFile /dev/null',
      '  StrictHostKeyChecking yes',
      '',
    ].join('\n'),
  );
  return {
    sshConfig,
    ssh,
    echo,
    udp,
    source,
    chat,
    ident,
    async stop() {
      await Promise.all([ssh, ...services].map((one) => one.stop()));
    },
  };
}

/** A port free at both addresses, for the service behind the port that opens. */
async function portFreeOutside(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, outside, resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A port nobody has, for a mapping, which takes no port 0. */
export async function freePort(udp = false): Promise<number> {
  if (!udp) {
    const server = net.createServer();
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  const socket = dgram.createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

/** The forwards by name. */
export interface Cast {
  /** Where it listens; throws as `mustBeUp` does. */
  port(name: string): number;
  /** @throws Error with the reason where it is not up */
  mustBeUp(name: string): ForwardView;
}

/**
 * Adds one forward of every kind and waits for them.
 * @param idle how long the trigger stays open without traffic
 * @param show with notes, and the local one to a source of traffic instead of an echo
 */
export async function addForwards(
  client: Client,
  stage: Stage & { sshConfig: string },
  idle: string,
  show: boolean,
): Promise<Cast> {
  const note = (text: string) => (show ? { note: text } : {});
  const common = { session: 'default', enabled: false };
  const demo = { ...common, host: 'demo', ssh: { configFile: stage.sshConfig } };
  const local = { address: '127.0.0.1', port: 0 };
  const forwards: Forward[] = [
    {
      ...demo,
      name: 'intranet',
      kind: 'local',
      listen: local,
      target: { host: '127.0.0.1', port: show ? stage.source.port : stage.echo.port },
      ...note('a web server only the SSH host can see'),
    },
    {
      ...demo,
      name: 'publish',
      kind: 'remote',
      listen: local,
      target: { host: '127.0.0.1', port: stage.echo.port },
      ...note('a service of this machine, offered on the SSH host'),
    },
    { ...demo, name: 'socks', kind: 'dynamic', listen: local, ...note('any host, as the SSH host sees it') },
    {
      ...common,
      name: 'game',
      kind: 'mapping',
      via: 'relay',
      proto: 'tcp',
      listen: { port: await freePort() },
      target: { host: '127.0.0.1', port: stage.echo.port },
    },
    {
      ...common,
      name: 'voice',
      kind: 'mapping',
      via: 'relay',
      proto: 'udp',
      listen: { port: await freePort(true) },
      target: { host: '127.0.0.1', port: stage.udp.port },
    },
    {
      ...common,
      name: 'irc',
      kind: 'trigger',
      via: 'relay',
      source: 'flows',
      on: { proto: 'tcp', ports: String(stage.chat.port) },
      open: [{ proto: 'tcp', ports: String(stage.ident.port) }],
      idle,
      second: 'first',
      bind: outside,
      ...note('opens while somebody chats'),
    },
  ];
  const names = await client.call('add', { forwards, up: true });
  const views = await client.call('settle', { names, timeoutMs: 15_000 });
  const mustBeUp = (name: string) => {
    const view = views.find((one) => one.name === name);
    if (view?.state === 'up') return view;
    throw new Error(`${name} is ${view?.state}: ${view?.error?.message ?? 'no reason given'}`);
  };
  return {
    mustBeUp,
    port(name) {
      const { listen } = mustBeUp(name);
      const port = Number(/:(\d+)$/.exec(listen)?.[1]);
      if (!(port > 0)) throw new Error(`${name} listens on "${listen}", which is no port`);
      return port;
    },
  };
}
