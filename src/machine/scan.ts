import { type ForwardSpec, formatEndpoint, formatListen } from '../model/endpoint.ts';
import type { ScanRow } from '../model/reports.ts';
import { shellQuote } from '../model/shell-words.ts';
import { type ProcessInfo, processes } from './processes.ts';
import { type Listener, listeners } from './sockets.ts';
import { type TcpConnection, tcpConnections } from './tcp-info.ts';

/** Reads the words of an ssh(1) command line, `ssh` itself first. @throws when it cannot */
export type SshCommandParser = (words: string[]) => { readonly dest: string; readonly specs: readonly ForwardSpec[] };

interface Evidence {
  readonly processes: readonly ProcessInfo[];
  readonly listeners: readonly Listener[];
  /** Null where the kernel's byte counts are not to be had. */
  readonly connections: readonly TcpConnection[] | null;
  readonly parse: SshCommandParser;
  /** Processes of sallyport; what they started is not foreign. */
  readonly ourPids: ReadonlySet<number>;
}

/** A control master in the background, which gives up its command line: `ssh: /path/of/socket [mux]`. */
const masterTitle = /^ssh: .* \[mux\]$/;
/** A server process of one session: `sshd: alice@pts/0`, `sshd: alice`, `sshd-session: alice` since OpenSSH 9.8. */
const sessionTitle = /^sshd(?:-session|-auth)?: (?!.*\[(?:listener|accepted|net)\])/;

const isSsh = (argv: readonly string[]) => /(?:^|\/)ssh$/.test(argv[0] ?? '');

/** The several sockets of one listening port of one process: both loopbacks, or both wildcards. */
interface Port {
  readonly port: number;
  readonly addresses: readonly string[];
}

function portsOf(pid: number, all: readonly Listener[]): Port[] {
  const ports = new Map<number, string[]>();
  for (const one of all) {
    if (one.pid !== pid || one.proto !== 'tcp') continue;
    ports.set(one.port, [...(ports.get(one.port) ?? []), one.address]);
  }
  return [...ports].map(([port, addresses]) => ({ port, addresses: addresses.sort() }));
}

/** The IPv4 address stands for the pair, as in every other place a listener is shown. */
const shown = ({ port, addresses }: Port) =>
  formatEndpoint({ host: addresses.find((address) => !address.includes(':')) ?? addresses[0] ?? '*', port });

/**
 * Bytes of the connections a listener has accepted and that still stand, as whoever connected sees them.
 * Those that have ended are not counted any more, by nobody.
 */
function traffic(port: Port, connections: Evidence['connections']): Pick<ScanRow, 'rx' | 'tx'> {
  if (connections === null) return { rx: null, tx: null };
  const wild = port.addresses.some((address) => address === '0.0.0.0' || address === '::');
  let [rx, tx] = [0, 0];
  for (const { local, bytesAcked, bytesReceived } of connections) {
    if (local.port !== port.port || !(wild || port.addresses.includes(local.address))) continue;
    rx += bytesAcked;
    tx += bytesReceived;
  }
  return { rx, tx };
}

function isOurs(process: ProcessInfo, byPid: ReadonlyMap<number, ProcessInfo>, ourPids: ReadonlySet<number>): boolean {
  const seen = new Set<number>();
  for (let at: ProcessInfo | undefined = process; at !== undefined && !seen.has(at.pid); at = byPid.get(at.ppid)) {
    if (ourPids.has(at.pid)) return true;
    seen.add(at.pid);
  }
  return false;
}

function clientRows(process: ProcessInfo, evidence: Evidence): ScanRow[] {
  const open = portsOf(process.pid, evidence.listeners);
  const base = { owner: 'ssh', user: process.user, pid: process.pid } as const;
  const words = ['ssh', ...process.argv.slice(1)];
  let specs: readonly ForwardSpec[] = [];
  try {
    if (isSsh(process.argv)) specs = evidence.parse(words).specs;
  } catch {
    // A command line nobody understands still has its listeners.
  }
  const command = `sallyport import -- ${shellQuote(words)}`;
  const rows = specs.map((spec): ScanRow => {
    const target = spec.target === null ? null : formatEndpoint(spec.target);
    const row = { ...base, kind: spec.kind, target, import: command };
    const { listen } = spec;
    if (spec.kind === 'remote' || 'socket' in listen)
      return { ...row, listen: formatListen(listen), rx: null, tx: null };
    const at = open.findIndex(({ port }) => port === listen.port || listen.port === 0);
    const [port] = at < 0 ? [] : open.splice(at, 1);
    if (port === undefined) return { ...row, listen: formatListen(listen), rx: null, tx: null };
    return { ...row, listen: shown(port), ...traffic(port, evidence.connections) };
  });
  // What was asked for in ssh_config(5), or of a running master by `ssh -O forward`: the target is known to ssh alone.
  const others = open.map(
    (port): ScanRow => ({
      ...base,
      kind: 'local',
      listen: shown(port),
      target: null,
      import: null,
      ...traffic(port, evidence.connections),
    }),
  );
  return [...rows, ...others];
}

/** The forwards of OpenSSH processes in evidence that sallyport did not start. */
export function scanRows(evidence: Evidence): ScanRow[] {
  const byPid = new Map(evidence.processes.map((process) => [process.pid, process]));
  return evidence.processes.flatMap((process) => {
    const title = process.argv.length === 1 ? (process.argv[0] ?? '').trim() : '';
    if (isSsh(process.argv) || masterTitle.test(title)) {
      return isOurs(process, byPid, evidence.ourPids) ? [] : clientRows(process, evidence);
    }
    if (!sessionTitle.test(title)) return [];
    return portsOf(process.pid, evidence.listeners).map(
      (port): ScanRow => ({
        owner: 'sshd',
        kind: 'remote',
        listen: shown(port),
        target: null,
        user: process.user,
        pid: process.pid,
        import: null,
        ...traffic(port, evidence.connections),
      }),
    );
  });
}

/**
 * What is forwarded on this machine without sallyport: `ssh` processes, control masters, and what `sshd` listens on
 * for its clients' `-R`.
 */
export async function scan(parse: SshCommandParser, ourPids: ReadonlySet<number>): Promise<ScanRow[]> {
  const [running, open, connections] = await Promise.all([processes(), listeners(), tcpConnections()]);
  return scanRows({ processes: running, listeners: open, connections, parse, ourPids });
}
