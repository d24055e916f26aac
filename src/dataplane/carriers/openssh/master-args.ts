import type { LinkSpec } from '../../../model/host.ts';
import type { LinkTimings } from '../../messages.ts';

/** Where the configuration gives no ConnectTimeout: a server that takes the connection and says nothing is given up. */
export const connectSeconds = 20;

/**
 * Arguments of the control master. What we insist on comes first, because the first value wins; what the user's
 * configuration decides by itself (hosts, keys, jumps, trust) is left to ssh.
 */
export function masterArgs(spec: LinkSpec, timings: LinkTimings, control: string): string[] {
  const { options } = spec;
  const insist = [
    'ControlPersist=no',
    'ClearAllForwardings=yes',
    'ExitOnForwardFailure=no',
    'RemoteCommand=none',
    'PermitLocalCommand=no',
    'Tunnel=no',
    'LogLevel=DEBUG1',
  ];
  // A confirmed channel is logged at DEBUG2 only, which would log every window adjustment as well.
  if (options.logverbose !== undefined) insist.push(`LogVerbose=*:channel_input_open_confirmation():*`);
  if (options.forkafterauthentication !== undefined) insist.push('ForkAfterAuthentication=no');
  if (options.serveraliveinterval === undefined || options.serveraliveinterval === '0') {
    // ssh gives up one interval after the last of its questions.
    const questions = Math.max(1, timings.keepaliveCount - 1);
    insist.push(`ServerAliveInterval=${timings.keepaliveSeconds}`, `ServerAliveCountMax=${questions}`);
  }
  if (options.connecttimeout === undefined || options.connecttimeout === 'none') {
    insist.push(`ConnectTimeout=${connectSeconds}`);
  }
  return [
    ...['-N', '-T', '-a', '-x', '-M', '-S', control],
    ...insist.flatMap((option) => ['-o', option]),
    ...spec.args,
    '--',
    spec.dest,
  ];
}
