import { expect, test } from 'vitest';
import { chooseAlgorithms } from '../../src/dataplane/carriers/ssh2/algorithms.ts';
import { channelFailure, clientFailure, connectFailure } from '../../src/dataplane/carriers/ssh2/failures.ts';
import { versionLine } from '../../src/dataplane/carriers/ssh2/ident-gate.ts';
import type { ResolvedOptions } from '../../src/model/host.ts';

const same = (list: readonly string[]) => list;
const offer = (options: ResolvedOptions) => chooseAlgorithms(options, same) as Record<string, string[]>;

test('AES-GCM comes first where nobody chose, and the order of who did choose stands', () => {
  const [chacha, ctr, gcm] = [
    'chacha20-poly1305@openssh.com',
    'aes128-ctr,aes192-ctr,aes256-ctr',
    'aes128-gcm@openssh.com,aes256-gcm@openssh.com',
  ];
  const gcms = gcm.split(',');
  expect(offer({ ciphers: `${chacha},${ctr},${gcm}` }).cipher?.slice(0, 2)).toEqual(gcms);
  expect(offer({ ciphers: `${chacha},${gcm},${ctr}` }).cipher?.slice(0, 2)).toEqual(gcms);
  expect(offer({}).cipher?.slice(0, 2)).toEqual(gcms);
  expect(offer({ ciphers: `${chacha},${gcm}` }).cipher).toEqual([chacha, ...gcms]);
  expect(offer({ ciphers: `aes256-ctr,no-such,${chacha}` }).cipher).toEqual(['aes256-ctr', chacha]);
});

test('what ssh2 lacks is left out; nothing left is an error, but for MACs that no cipher needs', () => {
  expect(offer({ kexalgorithms: 'sntrup761x25519-sha512,curve25519-sha256' }).kex).toEqual(['curve25519-sha256']);
  expect(() => offer({ kexalgorithms: 'sntrup761x25519-sha512' })).toThrow(/none of sntrup761/);
  expect(() => offer({ ciphers: 'aes128-ctr', macs: 'umac-64@openssh.com' })).toThrow(/none of umac/);
  expect(offer({ ciphers: 'aes128-gcm@openssh.com', macs: 'umac-64@openssh.com' }).cipher).toHaveLength(1);
});

test('unasked, nothing dated is offered', () => {
  const lists = Object.values(offer({})).flat();
  expect(lists.filter((name) => /cbc|md5|sha1|ssh-rsa|ssh-dss/.test(name))).toEqual([]);
});

test('host keys are ordered by what is known, unless somebody ordered them', () => {
  const turned = (list: readonly string[]) => [...list].reverse();
  const of = (options: ResolvedOptions) =>
    (chooseAlgorithms(options, turned) as Record<string, string[]>).serverHostKey;
  expect(of({ hostkeyalgorithms: 'ssh-ed25519-cert-v01@openssh.com,ssh-ed25519,rsa-sha2-512' })).toEqual([
    'rsa-sha2-512',
    'ssh-ed25519',
  ]);
  expect(of({ hostkeyalgorithms: 'ssh-ed25519,rsa-sha2-512' })).toEqual(['ssh-ed25519', 'rsa-sha2-512']);
});

test.each([
  ['ECONNREFUSED', 'host_refused'],
  ['ENOTFOUND', 'host_unresolved'],
  ['EAI_AGAIN', 'host_unresolved'],
  ['ETIMEDOUT', 'host_timeout'],
  ['EHOSTUNREACH', 'host_unreachable'],
  ['EPERM', 'host_unreachable'],
])('connecting with %s is %s', (code, ours) => {
  expect(connectFailure(Object.assign(new Error('x'), { code }), 'box:22').code).toBe(ours);
});

test.each([
  [1, 'open failed', 'target_prohibited'],
  [2, 'Connection refused', 'target_refused'],
  [2, 'Connection timed out', 'target_timeout'],
  [2, 'No route to host', 'target_unreachable'],
  [2, '', 'target_unreachable'],
  [4, 'no room', 'target_unreachable'],
  ['', 'server closed channel unexpectedly', 'host_lost'],
])('a channel not opened for reason %s, %s, is %s', (reason, description, ours) => {
  const error = Object.assign(new Error(`(SSH) Channel open failure: ${description}`), { reason });
  expect(channelFailure(error, 'web:80').code).toBe(ours);
});

test('what the server says on leaving', () => {
  const said = (text: string) => clientFailure(new Error(text), 'auth', 'box');
  expect(said('Too many authentication failures')).toMatchObject({
    code: 'auth_denied',
    hint: expect.stringContaining('IdentitiesOnly'),
  });
  expect(said('Handshake failed: no matching cipher').code).toBe('no_common_algorithm');
  expect(said('bye \x1b[2J\r\nnow').message).toContain('bye now');
});

test('the version line, among whatever comes before it', () => {
  const at = (text: string) => versionLine(Buffer.from(text));
  expect(at('SSH-2.0-x\r\n')).toBe(0);
  expect(at('hello SSH-2.0\nSSH-2.0-x\n')).toBe(14);
  expect(at('hello\r\nSSH-2.0-x')).toBe(-1);
  expect(at('')).toBe(-1);
});
