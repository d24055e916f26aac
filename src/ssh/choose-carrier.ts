import { SallyportError } from '../model/errors.ts';
import type { ResolvedOptions, SshCarrier } from '../model/host.ts';
import { authenticatedCipher, ssh2Algorithms } from './ssh2-algorithms.ts';

/** What the options alone don't tell. */
export interface CarrierFacts {
  /** The carrier asked for by name. */
  readonly wanted: SshCarrier | null;
  /** Whether this machine has an ssh(1). */
  readonly hasSsh: boolean;
  /** Certificates that lie beside the host's identity files. */
  readonly certificates: readonly string[];
  /** Identity files that exist and are FIDO keys. */
  readonly securityKeys: readonly string[];
  /** A known_hosts file trusts an authority for this host. */
  readonly hostAuthority: boolean;
  /** The embedded carrier found no algorithm in common with the server. */
  readonly noCommonAlgorithm?: boolean;
}

export interface CarrierChoice {
  readonly carrier: SshCarrier;
  /** One clause. */
  readonly why: string;
}

/**
 * Which carrier a host gets: the embedded one, unless the host needs what it lacks.
 * @throws SallyportError `carrier_missing` when only ssh(1) could do it and there is none
 */
export function chooseCarrier(options: ResolvedOptions, facts: CarrierFacts): CarrierChoice {
  if (facts.wanted === 'ssh2') return { carrier: 'ssh2', why: 'the option carrier=ssh2 says so' };
  const need = facts.wanted === 'openssh' ? 'the option carrier=openssh says so' : opensshNeed(options, facts);
  if (need === null) return { carrier: 'ssh2', why: 'the embedded client can do all this host needs' };
  if (!facts.hasSsh) {
    throw new SallyportError(
      'carrier_missing',
      `this host needs the system's ssh, and there is none: ${need}`,
      'install the OpenSSH client (openssh-client)',
    );
  }
  return { carrier: 'openssh', why: need };
}

function opensshNeed(options: ResolvedOptions, facts: CarrierFacts): string | null {
  const value = (name: string) => {
    const found = options[name];
    const first = Array.isArray(found) ? found[0] : found;
    return first === undefined || first === 'none' ? null : (first as string);
  };
  if (facts.noCommonAlgorithm) return 'the embedded client has no algorithm in common with the server';
  const certificate = value('certificatefile') ?? facts.certificates[0];
  if (certificate !== undefined) return `user certificate ${certificate}`;
  if (facts.securityKeys[0] !== undefined) return `FIDO key ${facts.securityKeys[0]}`;
  if (facts.hostAuthority) return 'known_hosts trusts a certificate authority for this host';
  if (value('pkcs11provider')) return `PKCS11Provider ${value('pkcs11provider')}`;
  if (value('proxyusefdpass') === 'yes' && value('proxycommand')) return 'ProxyUseFdpass, which is refused';
  if (value('bindinterface')) return `BindInterface ${value('bindinterface')}`;
  if (value('revokedhostkeys')) return `RevokedHostKeys ${value('revokedhostkeys')}`;
  if (value('knownhostscommand')) return 'KnownHostsCommand tells the host keys';
  const methods = value('preferredauthentications')?.split(',') ?? [];
  if (methods.length > 0 && methods.every((method) => method.startsWith('gssapi'))) return 'GSSAPI authentication only';
  if (methods.length > 0 && methods.every((method) => method === 'hostbased')) return 'host-based authentication only';
  return restricted(options);
}

const listTitles = {
  kexalgorithms: 'KexAlgorithms',
  hostkeyalgorithms: 'HostKeyAlgorithms',
  ciphers: 'Ciphers',
} as const;

/** The list of algorithms that leaves the embedded client nothing, or null. */
function restricted(options: ResolvedOptions): string | null {
  const list = (name: string) => (typeof options[name] === 'string' ? (options[name] as string).split(',') : null);
  const lacksAll = (name: keyof typeof ssh2Algorithms) => {
    const known: readonly string[] = ssh2Algorithms[name];
    return list(name)?.every((algorithm) => !known.includes(algorithm)) ?? false;
  };
  for (const [name, title] of Object.entries(listTitles)) {
    if (lacksAll(name as keyof typeof listTitles)) return `${title} allows only ${shorten(options[name] as string)}`;
  }
  const needsMac = list('ciphers')?.some((cipher) => !authenticatedCipher.test(cipher)) ?? true;
  if (needsMac && lacksAll('macs')) return `MACs allows only ${shorten(options.macs as string)}`;
  const keyTypes = list('pubkeyacceptedalgorithms');
  if (keyTypes?.every((type) => type.includes('-cert-') || type.startsWith('sk-'))) {
    return `PubkeyAcceptedAlgorithms allows only ${shorten(keyTypes.join(','))}`;
  }
  return null;
}

function shorten(list: string): string {
  const [first = '', ...rest] = list.split(',');
  return rest.length === 0 ? first : `${first} and ${rest.length} more`;
}
