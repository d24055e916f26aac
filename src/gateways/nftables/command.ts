import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { SallyportError } from '../../model/errors.ts';

const folders = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const maxOutputBytes = 512 * 1024 * 1024;

/** The programs and kernel settings the gateway works through, of this network namespace or of another. */
export interface Kernel {
  /** Runs a batch in one transaction: all of it, or nothing. `check` only tries. */
  apply(text: string, check?: boolean): Promise<void>;
  /** `nft -j …`; the objects it listed, or null where the thing asked for is not there. */
  list(...args: string[]): Promise<readonly NftObject[] | null>;
  /** `nft …` as text, for the rules JSON does not show; null where it is not there. */
  listText(...args: string[]): Promise<string | null>;
  /**
   * Rules as `iptables -S` has them, made through the older kernel interface (`legacy`) or through nftables (`nft`);
   * null where there are none, or none to be seen.
   */
  iptablesRules(variant: 'legacy' | 'nft', family: 'ip' | 'ip6', table?: string): Promise<string | null>;
  /** Tables of the older iptables that are in use. */
  legacyTables(family: 'ip' | 'ip6'): Promise<readonly string[]>;
  conntrack(args: readonly string[]): Promise<string>;
  ip(...args: string[]): Promise<unknown[]>;
  /** A value under /proc/sys by its dotted name; null where there is none. */
  sysctl(name: string): Promise<string | null>;
  setSysctl(name: string, value: string): Promise<void>;
}

/** One object of nft's JSON: `{counter: {…}}`, `{set: {…}}` and so on. */
export type NftObject = Readonly<Record<string, Record<string, unknown>>>;

export interface KernelPrograms {
  readonly nft?: string | undefined;
  readonly conntrack?: string | undefined;
  readonly ip?: string | undefined;
  /** Put before every command, as `['ip', 'netns', 'exec', NAME]` for another network namespace. */
  readonly prefix?: readonly string[] | undefined;
}

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(argv: readonly string[], input: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = argv;
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH ?? ''}:${folders}` },
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    child.once('error', (error: NodeJS.ErrnoException) => reject(missing(file, error)));
    child.stdin.on('error', () => {}); // a program that ends early says why on stderr
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxOutputBytes) child.kill();
      else out.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (err.length < 100) err.push(chunk);
    });
    child.once('close', (code) => {
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
    child.stdin.end(input);
  });
}

const packages: Record<string, string> = { nft: 'nftables', conntrack: 'conntrack', ip: 'iproute2' };

function missing(program: string, cause: NodeJS.ErrnoException): SallyportError {
  const name = program.split('/').at(-1) ?? program;
  const why = cause.code === 'ENOENT' ? 'is not installed' : `cannot be started (${cause.code})`;
  return new SallyportError('gateway_missing', `${name} ${why}`, `apt install ${packages[name] ?? name}`, { cause });
}

const deniedHint = 'run the engine as root, or as a service with AmbientCapabilities=CAP_NET_ADMIN';

/** What a program's complaint means, in one line. */
function failure(program: string, stderr: string): SallyportError {
  if (/not permitted|must be root|CAP_NET_ADMIN/i.test(stderr)) {
    return new SallyportError('gateway_denied', 'no right to change the packet filter (CAP_NET_ADMIN)', deniedHint);
  }
  const line = stderr.split('\n').find((text) => text.trim() !== '') ?? 'no reason given';
  const reason = line.replace(/^.*?Error: /, '').trim();
  return new SallyportError('gateway_failed', `${program}: ${reason}`, 'sallyport doctor says what this machine lacks');
}

const absent = (stderr: string) => /No such file or directory|does not exist/.test(stderr);

export function createKernel({ nft = 'nft', conntrack = 'conntrack', ip = 'ip', prefix = [] }: KernelPrograms): Kernel {
  const here = prefix.length === 0;
  const proc = (name: string) => `/proc/sys/${name.replaceAll('.', '/')}`;

  async function textOf(file: string): Promise<string | null> {
    try {
      if (here) return await readFile(file, 'utf8');
      const { code, stdout } = await run([...prefix, 'cat', file], '');
      return code === 0 ? stdout : null;
    } catch {
      return null;
    }
  }

  async function listed(args: readonly string[]): Promise<string | null> {
    const { code, stdout, stderr } = await run([...prefix, nft, ...args], '');
    if (code === 0) return stdout;
    if (absent(stderr)) return null;
    throw failure('nft', stderr);
  }

  const legacyTables = async (family: 'ip' | 'ip6') =>
    ((await textOf(`/proc/net/${family}_tables_names`)) ?? '').split('\n').filter((name) => name !== '');

  return {
    async apply(text, check = false) {
      const { code, stderr } = await run([...prefix, nft, ...(check ? ['-c'] : []), '-f', '-'], text);
      if (code !== 0) throw failure('nft', stderr);
    },
    async list(...args) {
      const text = await listed(['-j', ...args]);
      if (text === null) return null;
      // one document for each command of the batch
      return text
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .flatMap((line) => (JSON.parse(line) as { nftables: NftObject[] }).nftables);
    },
    listText: (...args) => listed(args),
    legacyTables,
    async iptablesRules(variant, family, table = 'filter') {
      // Asked without need, the program would load the kernel's module for it.
      if (variant === 'legacy' && !(await legacyTables(family)).includes(table)) return null;
      try {
        const { code, stdout } = await run([...prefix, `${family}tables-${variant}`, '-t', table, '-S'], '');
        return code === 0 ? stdout : null;
      } catch {
        return null;
      }
    },
    async conntrack(args) {
      const { code, stdout, stderr } = await run([...prefix, conntrack, ...args], '');
      // -D ends with 1 where nothing matched, or where the entry went by itself in between
      if (code !== 0 && !/ 0 flow entries|doesn't exist/.test(stderr)) throw failure('conntrack', stderr);
      return stdout;
    },
    async ip(...args) {
      const { code, stdout, stderr } = await run([...prefix, ip, '-j', ...args], '');
      if (code !== 0) throw failure('ip', stderr);
      return stdout.trim() === '' ? [] : (JSON.parse(stdout) as unknown[]);
    },
    sysctl: async (name) => (await textOf(proc(name)))?.trim() ?? null,
    async setSysctl(name, value) {
      if (here) await writeFile(proc(name), value);
      else await run([...prefix, 'sysctl', '-qw', `${name}=${value}`], '');
    },
  };
}
