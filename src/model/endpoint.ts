import { SallyportError } from './errors.ts';
import { parseServicePort } from './services.ts';

/**
 * Where a forward listens. No address means the loopback addresses; `*` means every address.
 * Port 0 asks the system for a free one.
 */
export type Listen = { readonly address?: string | undefined; readonly port: number } | { readonly socket: string };

/** Where a flow ends: a host and port as the far end understands them, or a Unix socket there. */
export type Target = { readonly host: string; readonly port: number } | { readonly socket: string };

/** What one `-L`, `-R` or `-D` argument says. */
export interface ForwardSpec {
  readonly kind: 'local' | 'remote' | 'dynamic';
  readonly listen: Listen;
  /** Null for `-D` and for `-R port` (a SOCKS server, here or at the far end). */
  readonly target: Target | null;
}

/** `1.2.3.4:80`, `[::1]:80`, or the socket's path. */
export function formatEndpoint(endpoint: Target | { host: string; port: number | string }): string {
  if ('socket' in endpoint) return endpoint.socket;
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `${host}:${endpoint.port}`;
}

/** A listen endpoint as shown before it is bound; both loopbacks are shown as 127.0.0.1. */
export function formatListen(listen: Listen): string {
  if ('socket' in listen) return listen.socket;
  const address = listen.address === undefined ? '127.0.0.1' : listen.address === '*' ? '0.0.0.0' : listen.address;
  return formatEndpoint({ host: address, port: listen.port });
}

/** Splits at colons, except inside brackets and after a backslash, as ssh(1) reads forwarding specifications. */
function splitSpec(text: string): string[] | null {
  const parts: string[] = [];
  let part = '';
  let bracket = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (c === '\\' && i + 1 < text.length) {
      part += text[++i];
    } else if (c === '[' && part === '' && !bracket) {
      bracket = true;
    } else if (c === ']' && bracket) {
      bracket = false;
      const next = text[i + 1];
      if (next !== undefined && next !== ':') return null;
    } else if (c === ':' && !bracket) {
      parts.push(part);
      part = '';
    } else {
      part += c;
    }
  }
  if (bracket) return null;
  parts.push(part);
  return parts;
}

const forms = {
  local:
    '[bind_address:]port:host:hostport, [bind_address:]port:/remote_socket, /local_socket:host:hostport or /local_socket:/remote_socket',
  remote: '[bind_address:]port:host:hostport, [bind_address:]port, /remote_socket:host:hostport and the like',
  dynamic: '[bind_address:]port or /local_socket',
} as const;

/**
 * Parses the argument of `-L`, `-R` or `-D` as ssh(1) does, IPv6 addresses in brackets, Unix sockets by their slash.
 * @throws SallyportError `bad_spec` or `bad_value`
 */
export function parseForwardSpec(kind: ForwardSpec['kind'], text: string): ForwardSpec {
  const flag = { local: '-L', remote: '-R', dynamic: '-D' }[kind];
  const bad = (why: string) => new SallyportError('bad_spec', `${flag} ${text}: ${why}`, `the form is ${forms[kind]}`);
  const parts = splitSpec(text);
  if (parts === null || text === '') throw bad('not a forwarding specification');
  const isPath = (part: string | undefined) => part?.startsWith('/') === true;
  const port = (part: string, options?: { zero: boolean }) => {
    try {
      return parseServicePort(part, options);
    } catch (cause) {
      throw bad((cause as Error).message);
    }
  };
  const address = (part: string) => (part === '' || part === '*' ? '*' : part);
  const targetOf = (rest: string[]): Target | null => {
    if (rest.length === 1 && isPath(rest[0])) return { socket: rest[0] as string };
    if (rest.length !== 2) return null;
    const [host, hostPort] = rest as [string, string];
    if (host === '') throw bad('the target host is missing');
    return { host, port: port(hostPort) };
  };

  if (isPath(parts[0])) {
    const target = targetOf(parts.slice(1));
    if (kind === 'dynamic' && parts.length > 1) throw bad('too many parts');
    if (target === null && (kind === 'local' || parts.length > 1)) throw bad('the target is missing');
    return { kind, listen: { socket: parts[0] as string }, target };
  }
  if (kind === 'dynamic' || (kind === 'remote' && parts.length <= 2 && !isPath(parts[1]))) {
    if (parts.length > 2) throw bad('too many parts');
    const listen =
      parts.length === 2
        ? { address: address(parts[0] as string), port: port(parts[1] as string, { zero: true }) }
        : { port: port(parts[0] as string, { zero: true }) };
    return { kind, listen, target: null };
  }
  // port:TARGET or address:port:TARGET; TARGET is host:port or /socket
  const targetLength = isPath(parts.at(-1)) ? 1 : 2;
  const head = parts.slice(0, -targetLength);
  if (head.length < 1 || head.length > 2) throw bad(head.length < 1 ? 'the target is missing' : 'too many parts');
  const listen =
    head.length === 2
      ? { address: address(head[0] as string), port: port(head[1] as string, { zero: true }) }
      : { port: port(head[0] as string, { zero: true }) };
  const target = targetOf(parts.slice(-targetLength));
  if (target === null) throw bad('the target is missing');
  return { kind, listen, target };
}
