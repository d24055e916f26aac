// Node's socket errors become SallyportErrors here and nowhere else.
import type { Target } from '../../model/endpoint.ts';
import { formatEndpoint } from '../../model/endpoint.ts';
import { SallyportError } from '../../model/errors.ts';
import type { Transport } from '../../model/ports.ts';
import { hostPort } from './address.ts';

/** Names who holds a port, like `nginx (pid 123, user www-data)`; null when nobody can be seen. */
export type PortHolder = (proto: Transport, address: string, port: number) => Promise<string | null>;

/** Node's code of an error; of the first attempt where several addresses were tried. */
export function nodeCode(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const code = (first as NodeJS.ErrnoException | undefined)?.code ?? (error as NodeJS.ErrnoException | undefined)?.code;
  return code ?? '';
}

/** Why a connection to `target` did not come about. */
export function dialError(error: unknown, target: Target): SallyportError {
  if (error instanceof SallyportError) return error;
  const at = formatEndpoint(target);
  const options = { cause: error };
  switch (nodeCode(error)) {
    case 'ECONNREFUSED':
      return new SallyportError('target_refused', `${at} refuses the connection`, 'is the service running', options);
    case 'ETIMEDOUT':
      return new SallyportError('target_timeout', `${at} does not answer`, 'is a firewall in the way', options);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NONAME':
      return new SallyportError('target_unreachable', `${at}: the name does not resolve`, 'check the name', options);
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
      return new SallyportError('target_unreachable', `${at}: no route to the host`, 'check the address', options);
    case 'ENOENT':
      return new SallyportError('target_unreachable', `${at}: no such socket`, 'is the service running', options);
    case 'EACCES':
    case 'EPERM':
      return new SallyportError('target_unreachable', `${at}: permission denied`, 'check the rights on it', options);
    case 'EMFILE':
    case 'ENFILE':
      return new SallyportError('fd_limit', `${at}: out of file descriptors`, 'raise LimitNOFILE (ulimit -n)', options);
    default: {
      const why = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
      return new SallyportError('target_unreachable', `${at}: ${why}`, '', options);
    }
  }
}

/** Why listening at `address`:`port` failed; a taken port is named with its holder. */
export async function listenError(
  error: unknown,
  at: { readonly proto: Transport; readonly address: string; readonly port: number },
  holder: PortHolder,
): Promise<SallyportError> {
  if (error instanceof SallyportError) return error;
  const { proto, address, port } = at;
  const where = `${proto} port ${port} on ${address}`;
  const options = { cause: error };
  switch (nodeCode(error)) {
    case 'EADDRINUSE': {
      const by = await holder(proto, address, port).catch(() => null);
      const who = by ?? 'another program';
      return new SallyportError(
        'port_taken',
        `${where} is held by ${who}`,
        `choose another port, or stop ${by === null ? 'what holds it' : by.replace(/ \(.*$/, '')}`,
        options,
      );
    }
    case 'EACCES':
    case 'EPERM':
      return new SallyportError(
        'port_denied',
        `no right to listen on ${where}`,
        'use a port from 1024 up, or allow it: sysctl net.ipv4.ip_unprivileged_port_start, or setcap cap_net_bind_service=+ep on node',
        options,
      );
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return new SallyportError(
        'address_unavailable',
        `${address} is not an address of this machine`,
        'see its addresses with: ip address',
        options,
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new SallyportError('address_unavailable', `${address} does not resolve`, 'write an address', options);
    case 'EMFILE':
    case 'ENFILE':
      return new SallyportError(
        'fd_limit',
        `cannot listen on ${hostPort(address, port)}: out of file descriptors`,
        'raise LimitNOFILE (ulimit -n)',
        options,
      );
    default: {
      const why = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
      return new SallyportError('listen_failed', `cannot listen on ${where}: ${why}`, '', options);
    }
  }
}
