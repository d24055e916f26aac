// Which algorithms to offer: what the configuration lists, less what ssh2 cannot do.
import type { Algorithms } from 'ssh2';
import { SallyportError } from '../../../model/errors.ts';
import type { ResolvedOptions } from '../../../model/host.ts';
import { optionNames, optionOn } from '../../../ssh/option-values.ts';
import { authenticatedCipher, ssh2Algorithms } from '../../../ssh/ssh2-algorithms.ts';

/** Not offered unless asked for: broken, truncated, or SHA-1 where it signs or agrees on keys. */
const dated = /-cbc$|^arcfour|-sha1(?:-|$)|-md5|ripemd|-96$|^ssh-(?:dss|rsa)$/;

function pick(options: ResolvedOptions, name: keyof typeof ssh2Algorithms): string[] {
  const supported: readonly string[] = ssh2Algorithms[name];
  const wanted = optionNames(options, name);
  if (wanted.length === 0) return supported.filter((algorithm) => !dated.test(algorithm));
  const usable = wanted.filter((algorithm) => supported.includes(algorithm));
  if (usable.length === 0) {
    throw new SallyportError(
      'no_common_algorithm',
      `${name}: the embedded carrier has none of ${wanted.join(', ')}`,
      'widen the list in ssh_config, or choose the openssh carrier',
    );
  }
  return usable;
}

/** The cipher sets OpenSSH has as defaults; a list with the members of one is nobody's wish. */
const opensshDefault = [
  'aes128-ctr',
  'aes128-gcm@openssh.com',
  'aes192-ctr',
  'aes256-ctr',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
].join();

/** OpenSSH puts ChaCha20 first; with ssh2 the AES-GCM ones carry half as much again. */
function pickCiphers(options: ResolvedOptions): string[] {
  const picked = pick(options, 'ciphers');
  const asConfigured = [...picked].sort().join() !== opensshDefault || picked[0] !== 'chacha20-poly1305@openssh.com';
  return asConfigured ? picked : ssh2Algorithms.ciphers.filter((cipher) => picked.includes(cipher));
}

/** A list of MACs that ssh2 has none of does no harm where every cipher authenticates by itself. */
function pickMacs(options: ResolvedOptions, ciphers: readonly string[]): string[] {
  return ciphers.every((cipher) => authenticatedCipher.test(cipher)) ? pick({}, 'macs') : pick(options, 'macs');
}

/** Whether the list of host key algorithms is a person's, so its order stands. */
function ownHostKeyOrder(options: ResolvedOptions): boolean {
  const [first] = optionNames(options, 'hostkeyalgorithms');
  return first !== undefined && !first.includes('-cert-');
}

/**
 * The offer for ssh2.
 * @param orderHostKeys puts what known_hosts could confirm first
 * @throws SallyportError `no_common_algorithm`
 */
export function chooseAlgorithms(
  options: ResolvedOptions,
  orderHostKeys: (algorithms: readonly string[]) => readonly string[],
): Algorithms {
  const keys = pick(options, 'hostkeyalgorithms');
  const cipher = pickCiphers(options);
  return {
    cipher,
    kex: pick(options, 'kexalgorithms'),
    hmac: pickMacs(options, cipher),
    serverHostKey: ownHostKeyOrder(options) ? keys : [...orderHostKeys(keys)],
    compress: optionOn(options, 'compression', false) ? ['zlib@openssh.com', 'none'] : ['none', 'zlib@openssh.com'],
  } as Algorithms;
}
