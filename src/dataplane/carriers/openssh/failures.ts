// OpenSSH's words as our failures.
import { readFileSync } from 'node:fs';
import type { FailureCode } from '../../../model/errors.ts';
import { SallyportError } from '../../../model/errors.ts';
import { fingerprint, parseKnownHosts } from '../../../ssh/known-hosts.ts';
import { plainText } from '../../../ssh/plain-text.ts';

interface Words {
  readonly pattern: RegExp;
  readonly code: FailureCode;
  readonly hint: string | ((log: string) => string);
  /** Which message to show instead of the matching line. */
  readonly message?: (found: RegExpExecArray, log: string) => string;
}

const after = (log: string, pattern: RegExp) => plainText(pattern.exec(log)?.[1] ?? '');

/** Line and file of the key that is known, and the host as known_hosts has it. */
function changedAt(log: string): [line: number, file: string, host: string] {
  const [, file = '', line = '0'] = /^Offending .*key in (.+):(\d+)\s*$/m.exec(log) ?? [];
  return [Number(line), plainText(file), after(log, /^Host key for (.*?) has changed/m)];
}

/** Fingerprint of the key on a line of a known_hosts file; null where it cannot be read any more. */
function keyAt(file: string, line: number): string | null {
  try {
    const entry = parseKnownHosts(readFileSync(file, 'utf8'), file).find((each) => each.line === line);
    return entry === undefined ? null : fingerprint(entry.key);
  } catch {
    return null;
  }
}

/** First match wins, so what explains more comes first. */
const masterWords: readonly Words[] = [
  {
    pattern: /^@ +WARNING: REVOKED HOST KEY DETECTED|host key .*marked as revoked/m,
    code: 'host_key_revoked',
    hint: 'do not connect: ask whoever runs the server',
    message: (_, log) => after(log, /^(.* is marked as revoked)\.?$/m) || 'the host key is revoked',
  },
  {
    pattern: /REMOTE HOST IDENTIFICATION HAS CHANGED|^Host key for .* has changed/m,
    code: 'host_key_changed',
    hint: (log) => {
      const [, file = '', host = ''] = changedAt(log);
      const command = `ssh-keygen -f ${JSON.stringify(file)} -R ${JSON.stringify(host)}`;
      return `somebody may be in between; if the change is right: ${command}`;
    },
    message: (_, log) => {
      const print = after(log, /^(SHA256:\S+?)\.?$/m);
      const [line, file, host] = changedAt(log);
      const known = keyAt(file, line);
      return `the host key of ${host || 'the host'} changed: it shows ${print}, ${file}:${line} has ${known ?? 'another'}; no login was tried`;
    },
  },
  {
    pattern: /^No (\S+) host key is known for (\S+) and you have requested strict checking/m,
    code: 'host_key_unknown',
    hint: 'connect once with ssh and accept the key, or add it to known_hosts',
    message: (found) => `the ${found[1]} key of ${found[2]} is not known, and StrictHostKeyChecking is set`,
  },
  {
    pattern: /^Host key verification failed\.?$/m,
    code: 'host_key_unknown',
    hint: 'bring the forward up again to be asked once more',
    message: () => 'the host key was not accepted',
  },
  {
    pattern: /^Unable to negotiate with .*: no matching .* found\..*$/m,
    code: 'no_common_algorithm',
    hint: "widen the named list in the host's ssh configuration, or update the server",
  },
  {
    pattern: /^.*Too many authentication failures.*$/m,
    code: 'auth_denied',
    hint: 'set IdentityFile and IdentitiesOnly yes for this host',
  },
  {
    pattern: /^Load key "?(.*?)"?: (bad permissions|invalid format|error in libcrypto|Permission denied)$/m,
    code: 'key_unreadable',
    hint: 'a private key must be readable by you alone (chmod 600), and whole',
    message: (found) => `the key ${found[1]} cannot be used: ${found[2]}`,
  },
  {
    pattern: /^Warning: Identity file (.*) not accessible: (.*?)\.?\n[\s\S]*Permission denied \(/m,
    code: 'key_unreadable',
    hint: 'correct the name of the key',
    message: (found) => `the key ${found[1]} cannot be used: ${found[2]}`,
  },
  { pattern: /^.*Permission denied \(.*$/m, code: 'auth_denied', hint: 'check the user name, the key and the agent' },
  {
    pattern: /^.*(?:Host-based|Password) authentication (?:failed|is disabled).*$/im,
    code: 'auth_denied',
    hint: 'check the user name and the keys',
  },
  { pattern: /^ssh: Could not resolve hostname .*$/m, code: 'host_unresolved', hint: 'check the name and the DNS' },
  { pattern: /^ssh: connect to host .*: Connection refused.*$/m, code: 'host_refused', hint: 'is sshd running there?' },
  {
    pattern:
      /^(?:ssh: connect to host .*: (?:Connection|Operation) timed out|.*timed out during banner exchange|Connection to .* timed out).*$/m,
    code: 'host_timeout',
    hint: 'is it up, and is a firewall between?',
  },
  { pattern: /^Timeout, server .* not responding\.?.*$/m, code: 'host_lost', hint: 'the network between may be down' },
  { pattern: /^ssh: connect to host .*$/m, code: 'host_unreachable', hint: 'check the network' },
  {
    pattern:
      /^.*(?:Bad configuration option|Bad owner or permissions on|Unsupported option|no argument after keyword|Can't open user config file|jumphost loop).*$/im,
    code: 'host_config',
    hint: 'see what ssh -G says about the host',
  },
  {
    pattern: /^channel 0: open failed: .*: (.*)\n(?:.*\n)*?stdio forwarding failed/m,
    code: 'jump_failed',
    hint: 'can the jump host reach the host behind it?',
    message: (found) => `the jump host cannot reach the host: ${plainText(found[1] ?? '')}`,
  },
  {
    pattern: /^.*UNKNOWN port 65535.*$/m,
    code: 'proxy_failed',
    hint: 'run the proxy command or the jump by hand to see why',
    message: () => 'the proxy command or jump host ended before the host answered',
  },
  {
    pattern:
      /^(?:kex_exchange_identification|ssh_exchange_identification|ssh_dispatch_run_fatal|Bad packet length|Corrupted MAC|Protocol major versions differ|Invalid SSH identification).*$/m,
    code: 'handshake_failed',
    hint: 'is it an SSH server, and does it still take connections?',
  },
  {
    pattern:
      /^(?:Connection (?:closed|reset) by|Received disconnect from|Disconnected from|client_loop: send disconnect|Read from remote host|packet_write_wait).*$/m,
    code: 'handshake_failed',
    hint: 'the log of the server may tell why',
  },
];

/**
 * Why a control master ended, from its log without debug lines.
 * @param wasUp whether the connection had come about; then any end is a loss, unless it heals no better
 */
export function masterFailure(lines: readonly string[], wasUp: boolean, exit: string): SallyportError {
  const log = lines.filter((line) => !/^debug\d: /.test(line)).join('\n');
  if (wasUp) {
    const last = lines.findLast((line) =>
      /^(?:Timeout, server|Connection |Received disconnect|client_loop|Read from|Disconnected)/.test(line),
    );
    return new SallyportError('host_lost', plainText(last ?? `ssh ended (${exit})`), 'it is connected again by itself');
  }
  for (const { pattern, code, hint, message } of masterWords) {
    const found = pattern.exec(log);
    if (found === null) continue;
    const next = typeof hint === 'string' ? hint : hint(log);
    return new SallyportError(code, message?.(found, log) ?? plainText(found[0]), next);
  }
  const last = log.split('\n').findLast((line) => line.trim() !== '');
  return new SallyportError('handshake_failed', plainText(last ?? `ssh ended (${exit})`), 'try the same with ssh -v');
}

/** What a connection that is not up yet hangs in, from its whole log. */
export function silence(lines: readonly string[]): SallyportError {
  const seen = (word: string) => lines.some((line) => line.includes(word));
  // Between the two ssh only reads its keys, and asks the agent for its own.
  if (seen('SSH2_MSG_NEWKEYS received') && !seen('SSH2_MSG_SERVICE_ACCEPT received')) {
    return new SallyportError(
      'agent_unreachable',
      'ssh waits for the SSH agent, which does not answer',
      'restart the agent, or set IdentityAgent none for this host',
    );
  }
  return new SallyportError('host_timeout', 'the host stopped answering during the handshake', 'is it overloaded?');
}

/** Why a channel was not opened (RFC 4254 section 5.1, in sshd's words). */
export function channelFailure(reason: string, target: string): SallyportError {
  const why = plainText(reason).replace(/^connect failed: /, '');
  const is = (pattern: RegExp) => pattern.test(reason);
  if (is(/Connection refused/))
    return new SallyportError('target_refused', `${target} refuses the connection`, 'is the service running there?');
  if (is(/timed out/i))
    return new SallyportError('target_timeout', `${target} does not answer`, 'is a firewall between?');
  if (is(/administratively prohibited/)) {
    return new SallyportError(
      'target_prohibited',
      `the SSH server does not allow connections to ${target}`,
      'see AllowTcpForwarding and PermitOpen there',
    );
  }
  return new SallyportError('target_unreachable', `${target}: ${why}`, 'as the SSH server sees it');
}
