import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { chooseCarrier } from '../../src/ssh/choose-carrier.ts';
import { ssh2Algorithms } from '../../src/ssh/ssh2-algorithms.ts';

const nothing = { wanted: null, hasSsh: true, certificates: [], securityKeys: [], hostAuthority: false };

describe('the carrier', () => {
  test('is the embedded one by default', () => {
    const options = {
      kexalgorithms: 'sntrup761x25519-sha512@openssh.com,curve25519-sha256',
      ciphers: 'chacha20-poly1305@openssh.com',
      macs: 'umac-64@openssh.com',
      controlpath: '/x',
      gssapiauthentication: 'yes',
      proxyusefdpass: 'no',
      certificatefile: ['none'],
    };
    expect(chooseCarrier(options, nothing).carrier).toBe('ssh2');
  });

  test.each([
    [{ certificatefile: ['~/.ssh/x-cert.pub'] }, {}, 'certificate'],
    [{}, { certificates: ['~/.ssh/id-cert.pub'] }, '~/.ssh/id-cert.pub'],
    [{}, { securityKeys: ['~/.ssh/id_ed25519_sk'] }, 'FIDO'],
    [{}, { hostAuthority: true }, 'authority'],
    [{}, { wanted: 'openssh' }, 'carrier=openssh'],
    [{}, { noCommonAlgorithm: true }, 'no algorithm in common'],
    [{ pkcs11provider: '/usr/lib/x.so' }, {}, 'PKCS11Provider'],
    [{ proxyusefdpass: 'yes', proxycommand: 'x' }, {}, 'ProxyUseFdpass'],
    [{ preferredauthentications: 'gssapi-with-mic' }, {}, 'GSSAPI'],
    [{ kexalgorithms: 'sntrup761x25519-sha512@openssh.com' }, {}, 'KexAlgorithms allows only sntrup761'],
    [{ hostkeyalgorithms: 'ssh-ed25519-cert-v01@openssh.com' }, {}, 'HostKeyAlgorithms'],
    [{ ciphers: 'aes128-unheard-of' }, {}, 'Ciphers'],
    [
      { ciphers: 'aes128-ctr', macs: 'umac-64@openssh.com,umac-128@openssh.com' },
      {},
      'MACs allows only umac-64@openssh.com and 1 more',
    ],
    [{ pubkeyacceptedalgorithms: 'ssh-ed25519-cert-v01@openssh.com' }, {}, 'PubkeyAcceptedAlgorithms'],
  ] as const)('is openssh for %j %j', (options, facts, why) => {
    const choice = chooseCarrier(options, { ...nothing, ...facts });
    expect(choice.carrier).toBe('openssh');
    expect(choice.why).toContain(why);
    expect(() => chooseCarrier(options, { ...nothing, ...facts, hasSsh: false })).toThrow(
      expect.objectContaining({ code: 'carrier_missing' }),
    );
  });

  test('can be forced to the embedded one', () => {
    const facts = { ...nothing, certificates: ['x'], wanted: 'ssh2' as const };
    expect(chooseCarrier({}, facts).carrier).toBe('ssh2');
  });
});

test('the table of algorithms is what the package has', () => {
  const constants = createRequire(import.meta.url)('ssh2/lib/protocol/constants.js');
  const same = (ours: readonly string[], theirs: string[]) => expect([...ours].sort()).toEqual([...theirs].sort());
  same(ssh2Algorithms.kexalgorithms, constants.SUPPORTED_KEX);
  same(ssh2Algorithms.hostkeyalgorithms, constants.SUPPORTED_SERVER_HOST_KEY);
  same(ssh2Algorithms.macs, constants.SUPPORTED_MAC);
  // Some old ciphers come and go with what OpenSSL was built with.
  const legacy = /^(?:blowfish|cast128|arcfour)/;
  same(
    ssh2Algorithms.ciphers,
    constants.SUPPORTED_CIPHER.filter((name: string) => !legacy.test(name)),
  );
});
