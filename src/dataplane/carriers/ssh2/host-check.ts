// Is it the right host? Decided before any credential is shown to it.
import net from 'node:net';
import { SallyportError } from '../../../model/errors.ts';
import type { ResolvedOptions } from '../../../model/host.ts';
import type { HostTrust } from '../../../ssh/host-trust.ts';
import { blobType, fingerprint, type HostKey, type KnownHost } from '../../../ssh/known-hosts.ts';
import { optionOn } from '../../../ssh/option-values.ts';
import type { LinkContext } from '../link-context.ts';
import type { Attempt } from '../reconnect.ts';
import type { Asker } from './asker.ts';

export interface HostCheckParts {
  readonly options: ResolvedOptions;
  readonly trust: HostTrust;
  readonly asker: Asker;
  readonly note: LinkContext['note'];
  /** Keys accepted by a person in this engine's life, for where no file takes them. */
  readonly accepted: Set<string>;
  /** Host as shown to people. */
  readonly dest: string;
}

/** An address that is this machine, RFC 1122 section 3.2.1.3 and RFC 4291 section 2.5.3. */
function isLoopback(address: string): boolean {
  return net.isIP(address) !== 0 && (address === '::1' || /^(::ffff:)?127\./.test(address));
}

function shortType(type: string): string {
  return type
    .replace(/^ssh-/, '')
    .replace(/^ecdsa-sha2-nistp\d+$/, 'ecdsa')
    .toUpperCase();
}

function place(entry: KnownHost): string {
  return `${entry.file}:${entry.line}`;
}

/**
 * Lets a key pass or throws; asks where StrictHostKeyChecking says so.
 * @param address the peer's, or empty behind a proxy or jump host
 * @throws SallyportError `host_key_unknown`, `host_key_changed`, `host_key_revoked`
 */
export async function checkHostKey(
  parts: HostCheckParts,
  entries: readonly KnownHost[],
  blob: Buffer,
  address: string,
  attempt: Attempt,
): Promise<'known' | 'accepted'> {
  const { options, trust, note, dest } = parts;
  const key: HostKey = { type: blobType(blob) ?? '', key: blob.toString('base64') };
  const print = fingerprint(blob);
  const type = shortType(key.type);
  if (isLoopback(address) && optionOn(options, 'nohostauthenticationforlocalhost', false)) return 'accepted';
  const verdict = trust.judge(entries, key);
  switch (verdict.is) {
    case 'revoked':
      throw new SallyportError(
        'host_key_revoked',
        `the ${type} key ${print} of ${dest} is marked as revoked in ${place(verdict.entry)}`,
        'do not connect; ask whoever runs the host',
      );
    case 'changed': {
      const { entry } = verdict;
      // Even StrictHostKeyChecking=no: ssh would then connect without forwarding anything, which is all we are for.
      throw new SallyportError(
        'host_key_changed',
        `the ${type} host key of ${dest} changed: it shows ${print}, ${place(entry)} has ${fingerprint(entry.key)}; ` +
          'no login was tried',
        `somebody may be in between; if the change is right: ${trust.forgetCommand(entry.file)}`,
      );
    }
    case 'known': {
      const byAddress = trust.judgeAddress(entries, key, address);
      if (byAddress?.is === 'changed' || byAddress?.is === 'revoked') {
        const message = `the ${type} key of ${dest} is right by name, but ${place(byAddress.entry)} has another for ${address}`;
        if (trust.strictness !== 'no') {
          throw new SallyportError(
            'host_key_changed',
            message,
            `if the address moved: remove line ${byAddress.entry.line} of ${byAddress.entry.file}`,
          );
        }
        note('warn', 'host_key_changed', message);
      }
      return 'known';
    }
    case 'unknown':
      break;
  }
  if (parts.accepted.has(key.key)) return 'accepted';
  if (trust.strictness === 'yes' || (trust.strictness === 'ask' && !parts.asker.allowed)) {
    throw new SallyportError(
      'host_key_unknown',
      `the host key of ${dest} is not known: ${type} ${print}`,
      `compare the fingerprint, then connect once with ssh ${dest}, or add the line ssh-keyscan prints to known_hosts`,
    );
  }
  if (trust.strictness === 'ask') await askToTrust(parts, verdict.others, key, print, attempt);
  else note('warn', 'host_key_new', `added the ${type} key ${print} of ${dest} without asking`);
  parts.accepted.add(key.key);
  try {
    const file = await trust.remember(key, address);
    if (file !== null) note('info', 'host_key_added', `${type} key ${print} of ${dest} added to ${file}`);
  } catch (error) {
    note('warn', 'host_key_not_saved', `the key of ${dest} could not be saved: ${(error as Error).message}`);
  }
  return 'accepted';
}

async function askToTrust(
  parts: HostCheckParts,
  others: readonly KnownHost[],
  key: HostKey,
  print: string,
  attempt: Attempt,
): Promise<void> {
  const type = shortType(key.type);
  const known = others.map((entry) => `${shortType(entry.type)} in ${place(entry)}`).join(', ');
  let mistyped = false;
  for (;;) {
    const { answers } = await parts.asker.ask(
      {
        kind: 'host_key',
        title: `the host key of ${parts.dest} is not known: ${type} ${print}`,
        instructions:
          (mistyped ? 'Answer yes, no, or the fingerprint. ' : '') +
          (known === '' ? '' : `The host is known by other keys: ${known}.`),
        fields: [],
        fingerprint: print,
        keyType: key.type,
      },
      attempt,
    );
    const answer = answers?.[0]?.trim() ?? 'no';
    if (answer.toLowerCase() === 'yes' || answer === print) return;
    if (answer.toLowerCase() === 'no' || answers === null) {
      throw new SallyportError(
        'host_key_unknown',
        `the host key of ${parts.dest} was not accepted: ${type} ${print}`,
        'bring it up again to be asked again',
      );
    }
    mistyped = true;
  }
}
