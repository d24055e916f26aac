// ssh2's and Node's errors as ours, translated once, here.
import { SallyportError } from '../../../model/errors.ts';
import { plainText } from '../../../ssh/plain-text.ts';

/** A transport that did not come about. @param what the peer as shown to people */
export function connectFailure(error: unknown, what: string): SallyportError {
  if (error instanceof SallyportError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const options = { cause: error };
  switch (code) {
    case 'ECONNREFUSED':
      return new SallyportError('host_refused', `${what} refuses the connection`, 'is sshd running there?', options);
    case 'ENOTFOUND':
    case 'EAI_NODATA':
    case 'EAI_NONAME':
      return new SallyportError('host_unresolved', `${what} does not resolve`, 'check the name and the DNS', options);
    case 'EAI_AGAIN':
      return new SallyportError(
        'host_unresolved',
        `${what} does not resolve at the moment`,
        'is the DNS reachable?',
        options,
      );
    case 'ETIMEDOUT':
      return new SallyportError(
        'host_timeout',
        `${what} does not answer`,
        'is it up, and is a firewall between?',
        options,
      );
    case 'EADDRNOTAVAIL':
      return new SallyportError(
        'host_unreachable',
        `${what}: BindAddress is not an address of this machine`,
        '',
        options,
      );
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
      return new SallyportError('host_unreachable', `no route to ${what}`, 'check the network', options);
    default:
      return new SallyportError('host_unreachable', `${what}: ${plainText(message)}`, '', options);
  }
}

export type Phase = 'handshake' | 'auth' | 'up';

/** An error event of ssh2's client. */
export function clientFailure(error: unknown, phase: Phase, what: string): SallyportError {
  if (error instanceof SallyportError) return error;
  const message = plainText((error as Error).message ?? String(error));
  const options = { cause: error };
  if (/no matching/i.test(message)) {
    return new SallyportError(
      'no_common_algorithm',
      `${what}: ${message.replace(/^Handshake failed: /, '')}`,
      'the openssh carrier may have the algorithm, or the server needs an update',
      options,
    );
  }
  if (/too many authentication failures/i.test(message)) {
    return new SallyportError(
      'auth_denied',
      `${what} ended it after too many failed keys`,
      'set IdentitiesOnly yes and name the right IdentityFile for this host',
      options,
    );
  }
  if (phase === 'up')
    return new SallyportError('host_lost', `the connection to ${what} was lost: ${message}`, '', options);
  if (phase === 'auth') {
    return new SallyportError('host_lost', `${what} ended the connection while logging in: ${message}`, '', options);
  }
  return new SallyportError('handshake_failed', `${what}: ${message}`, 'is it an SSH server?', options);
}

/** A channel that the server did not open, RFC 4254 section 5.1. @param target as shown to people */
export function channelFailure(error: unknown, target: string): SallyportError {
  if (error instanceof SallyportError) return error;
  const { reason, message } = error as Error & { reason?: number | string };
  const said = plainText(message.replace(/^\(SSH\) Channel open failure: /, ''));
  const options = { cause: error };
  if (reason === 1) {
    return new SallyportError(
      'target_prohibited',
      `the SSH server does not allow connections to ${target}`,
      'AllowTcpForwarding, AllowStreamLocalForwarding and PermitOpen in its sshd_config decide that',
      options,
    );
  }
  if (typeof reason !== 'number') {
    return new SallyportError('host_lost', 'the connection to the host was lost', '', options);
  }
  if (/timed? ?out/i.test(said)) {
    return new SallyportError('target_timeout', `${target} does not answer the SSH server`, '', options);
  }
  if (/refused/i.test(said)) {
    return new SallyportError('target_refused', `${target} refuses the connection`, 'does it listen there?', options);
  }
  if (reason === 4) {
    return new SallyportError('target_unreachable', `the SSH server has no room for another channel`, '', options);
  }
  const why = said === '' || said === 'undefined' ? 'the SSH server gives no reason' : said;
  return new SallyportError('target_unreachable', `${target} cannot be reached: ${why}`, '', options);
}
