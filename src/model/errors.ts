import { getSystemErrorMessage } from 'node:util';

/**
 * Every failure a user can meet, by code. `heals` says whether trying again by itself can help: what cannot
 * heal (bad credentials, a changed host key, a port held by somebody else) fails once and waits for a person.
 */
export const failureCodes = {
  // usage and configuration
  usage: { heals: false, title: 'wrong use of the command line' },
  bad_spec: { heals: false, title: 'a forwarding specification that cannot be read' },
  bad_value: { heals: false, title: 'a value out of its range or form' },
  name_taken: { heals: false, title: 'a forward of that name exists' },
  not_found: { heals: false, title: 'no such forward, session, flow or prompt' },
  conflict: { heals: false, title: 'the rule collides with another forward' },
  config_invalid: { heals: false, title: 'the config file cannot be read' },
  config_newer: { heals: false, title: 'the config file was written by a newer sallyport' },
  config_write: { heals: false, title: 'the config file could not be written' },
  unsupported: { heals: false, title: 'what was asked cannot be done here' },
  nothing_to_undo: { heals: false, title: 'no change to take back' },
  // engine and client
  engine_start: { heals: false, title: 'the engine did not start' },
  engine_gone: { heals: true, title: 'the connection to the engine was lost' },
  engine_busy: { heals: true, title: 'another engine holds this home' },
  no_engine: { heals: false, title: 'no engine runs' },
  internal: { heals: false, title: 'a defect in sallyport' },
  // listeners
  port_taken: { heals: false, title: 'another program holds the port' },
  port_denied: { heals: false, title: 'no right to listen on the port' },
  address_unavailable: { heals: false, title: 'the address to listen on is not one of this machine' },
  listen_failed: { heals: false, title: 'listening failed' },
  socket_taken: { heals: false, title: 'the Unix socket path is in use' },
  remote_port_taken: { heals: false, title: 'the port on the SSH server is taken' },
  remote_port_reclaim: { heals: true, title: 'waiting for the server to drop our own dead session' },
  remote_listen_denied: { heals: false, title: 'the SSH server does not allow the remote forward' },
  fd_limit: { heals: true, title: 'out of file descriptors' },
  // reaching and trusting a host
  host_config: { heals: false, title: 'the ssh configuration of the host cannot be resolved' },
  host_unresolved: { heals: true, title: 'the host name does not resolve' },
  host_unreachable: { heals: true, title: 'the host cannot be reached' },
  host_refused: { heals: true, title: 'the host refuses the connection' },
  host_timeout: { heals: true, title: 'the host does not answer in time' },
  host_lost: { heals: true, title: 'the connection to the host was lost' },
  handshake_failed: { heals: true, title: 'the SSH handshake broke off' },
  no_common_algorithm: { heals: false, title: 'no algorithm in common with the server' },
  host_key_unknown: { heals: false, title: 'the host key is not known' },
  host_key_changed: { heals: false, title: 'the host key differs from the known one' },
  host_key_revoked: { heals: false, title: 'the host key is marked as revoked' },
  auth_denied: { heals: false, title: 'the server accepts none of the credentials' },
  passphrase_needed: { heals: false, title: 'a key needs its passphrase' },
  password_needed: { heals: false, title: 'the server asks for a password' },
  code_needed: { heals: false, title: 'the server asks a question' },
  key_unreadable: { heals: false, title: 'a key file cannot be used' },
  agent_unreachable: { heals: true, title: 'the SSH agent does not answer' },
  proxy_failed: { heals: true, title: 'the proxy command ended' },
  jump_failed: { heals: true, title: 'the jump host is not up' },
  carrier_missing: { heals: false, title: 'no carrier can do what the host needs' },
  // flows and probes
  target_refused: { heals: true, title: 'the target refuses the connection' },
  target_unreachable: { heals: true, title: 'the target cannot be reached' },
  target_prohibited: { heals: true, title: 'the SSH server does not allow connections to the target' },
  target_timeout: { heals: true, title: 'the target does not answer in time' },
  probe_failed: { heals: true, title: 'a connection through the forward does not get there' },
  // gateways and triggers
  target_unresolved: { heals: true, title: 'the internal host is not known at the moment' },
  gateway_denied: { heals: false, title: 'no right to change the gateway' },
  gateway_missing: { heals: true, title: 'the gateway is not there' },
  gateway_refused: { heals: false, title: 'the gateway refuses the mapping' },
  gateway_port_taken: { heals: false, title: 'the external port belongs to somebody else' },
  gateway_failed: { heals: true, title: 'the gateway did not do what it was asked' },
  double_nat: { heals: true, title: 'the router is itself behind a NAT, out of reach from the internet' },
  lease_permanent: { heals: false, title: 'the router keeps the mapping until somebody deletes it' },
  expired: { heals: false, title: 'its time is over' },
} as const satisfies Record<string, { heals: boolean; title: string }>;

export type FailureCode = keyof typeof failureCodes;

/** A failure as plain data: what crosses threads and sockets, and what `--json` prints. */
export interface Failure {
  readonly code: FailureCode;
  /** What failed and why, one line, no full stop. */
  readonly message: string;
  /** The next step for the person who reads it, one line; may be empty. */
  readonly hint: string;
}

/** The one error type. A library's error becomes one of these once, at the door of that library. */
export class SallyportError extends Error {
  readonly code: FailureCode;
  readonly hint: string;

  constructor(code: FailureCode, message: string, hint = '', options?: ErrorOptions) {
    super(message, options);
    this.name = 'SallyportError';
    this.code = code;
    this.hint = hint;
  }

  get retryable(): boolean {
    return failureCodes[this.code].heals;
  }

  get failure(): Failure {
    return { code: this.code, message: this.message, hint: this.hint };
  }

  static from(failure: Failure): SallyportError {
    return new SallyportError(failure.code, failure.message, failure.hint);
  }
}

export function isFailureCode(code: unknown): code is FailureCode {
  return typeof code === 'string' && Object.hasOwn(failureCodes, code);
}

/** Any thrown thing as a failure; what is none of ours is a defect and says so. */
export function toFailure(error: unknown): Failure {
  if (error instanceof SallyportError) return error.failure;
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'internal',
    message,
    hint: 'this is a defect; the log has the details (sallyport engine status names it)',
  };
}

/** What the system says of a failed call, in its own words: `no such file or directory`. */
export function systemReason(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  return errno === undefined ? message : getSystemErrorMessage(errno);
}
