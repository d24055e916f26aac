// Which algorithms to offer: what the configuration lists, less what ssh2 cannot do.
import type { Algorithms } from 'ssh2';
import { SallyportError } from '../../../model/errors.ts';
import type { ResolvedOptions } from '../../../model/host.ts';
import { optionNames, optionOn } from '../../../ssh/option-values.ts';

/** In the order ssh2 is best at. */
const ciphers = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
  'aes256-cbc',
  'aes192-cbc',
  'aes128-cbc',
  '3des-cbc',
];
const kexes = [
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
  'diffie-hellman-group-exchange-sha256',
  'diffie-hellman-group16-sha512',
  'diffie-hellman-group18-sha512',
  'diffie-hellman-group14-sha256',
  'diffie-hellman-group15-sha512',
  'diffie-hellman-group17-sha512',
  'diffie-hellman-group-exchange-sha1',
  'diffie-hellman-group14-sha1',
  'diffie-hellman-group1-sha1',
];
const macs = [
  'hmac-sha2-256-etm@openssh.com',
  'hmac-sha2-512-etm@openssh.com',
  'hmac-sha1-etm@openssh.com',
  'hmac-sha2-256',
  'hmac-sha2-512',
  'hmac-sha1',
  'hmac-sha1-96',
  'hmac-md5',
  'hmac-md5-96',
];
const hostKeys = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
  'ssh-rsa',
  'ssh-dss',
];
/** What is offered where the configuration says nothing: no SHA-1 signatures, no CBC, no small groups. */
const unasked = { ciphers: 6, kexes: 9, macs: 6, hostKeys: 6 };

function pick(options: ResolvedOptions, name: string, supported: readonly string[], byDefault: number): string[] {
  const wanted = optionNames(options, name);
  if (wanted.length === 0) return supported.slice(0, byDefault);
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
  const picked = pick(options, 'ciphers', ciphers, unasked.ciphers);
  const asConfigured = [...picked].sort().join() !== opensshDefault || picked[0] !== 'chacha20-poly1305@openssh.com';
  return asConfigured ? picked : ciphers.filter((cipher) => picked.includes(cipher));
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
  const keys = pick(options, 'hostkeyalgorithms', hostKeys, unasked.hostKeys);
  return {
    cipher: pickCiphers(options),
    kex: pick(options, 'kexalgorithms', kexes, unasked.kexes),
    hmac: pick(options, 'macs', macs, unasked.macs),
    serverHostKey: ownHostKeyOrder(options) ? keys : [...orderHostKeys(keys)],
    compress: optionOn(options, 'compression', false) ? ['zlib@openssh.com', 'none'] : ['none', 'zlib@openssh.com'],
  } as Algorithms;
}
