import { describe, expect, test } from 'vitest';
import { channelFailure, masterFailure, silence } from '../../src/dataplane/carriers/openssh/failures.ts';
import { LineCutter, loggedTarget, readLogLine } from '../../src/dataplane/carriers/openssh/master-log.ts';
import { readPrompt } from '../../src/dataplane/carriers/openssh/prompt-text.ts';

describe('why a control master ended', () => {
  test.each([
    ['host_unresolved', 'ssh: Could not resolve hostname nosuch.invalid: Name or service not known'],
    ['host_refused', 'ssh: connect to host 127.0.0.1 port 1: Connection refused'],
    ['host_unreachable', 'ssh: connect to host 10.9.9.9 port 22: No route to host'],
    ['host_timeout', 'ssh: connect to host 10.9.9.9 port 22: Connection timed out'],
    ['host_timeout', 'Connection timed out during banner exchange\nConnection to 127.0.0.1 port 23499 timed out'],
    [
      'no_common_algorithm',
      'Unable to negotiate with 127.0.0.1 port 2: no matching host key type found. Their offer: ssh-dss',
    ],
    [
      'no_common_algorithm',
      'Unable to negotiate with 127.0.0.1 port 2: no matching key exchange method found. Their offer: x',
    ],
    ['auth_denied', 'root@127.0.0.1: Permission denied (publickey,password).'],
    [
      'auth_denied',
      'Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures\nDisconnected from 1.2.3.4 port 22',
    ],
    [
      'key_unreadable',
      'Permissions 0644 for \'k\' are too open.\nLoad key "k": bad permissions\nroot@h: Permission denied (publickey).',
    ],
    [
      'key_unreadable',
      'Warning: Identity file /k/absent not accessible: No such file or directory.\nroot@h: Permission denied (publickey).',
    ],
    ['key_unreadable', 'Load key "kg": error in libcrypto\nroot@h: Permission denied (publickey).'],
    [
      'host_key_unknown',
      'No ED25519 host key is known for [127.0.0.1]:2 and you have requested strict checking.\nHost key verification failed.',
    ],
    ['host_key_unknown', 'Host key verification failed.'],
    ['host_key_revoked', 'The ED25519 host key for h is marked as revoked.\nHost key verification failed.'],
    [
      'proxy_failed',
      'kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535',
    ],
    [
      'host_refused',
      'ssh: connect to host 127.0.0.1 port 1: Connection refused\nkex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535',
    ],
    [
      'jump_failed',
      'channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed\nConnection closed by UNKNOWN port 65535',
    ],
    [
      'handshake_failed',
      'kex_exchange_identification: read: Connection reset by peer\nConnection reset by 1.2.3.4 port 22',
    ],
    ['handshake_failed', 'Connection closed by 1.2.3.4 port 22'],
    ['host_config', '/x/config: line 2: Bad configuration option: bogus'],
    ['handshake_failed', ''],
  ])('%s', (code, log) => {
    const lines = ['debug1: Connection refused is only talk', ...log.split('\n')];
    expect(masterFailure(lines, false, 'exit code 255')).toMatchObject({ code });
    expect(masterFailure(lines, true, 'SIGKILL')).toMatchObject({ code: 'host_lost' });
  });

  test('what a master hangs in', () => {
    const kex = ['debug1: SSH2_MSG_NEWKEYS received', 'debug1: rekey in after 134217728 blocks'];
    expect(silence([])).toMatchObject({ code: 'host_timeout' });
    expect(silence(kex)).toMatchObject({ code: 'agent_unreachable' });
    expect(silence([...kex, 'debug1: SSH2_MSG_SERVICE_ACCEPT received'])).toMatchObject({ code: 'host_timeout' });
  });

  test('a changed key is told with fingerprint and place', () => {
    const log = `@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
The fingerprint for the ED25519 key sent by the remote host is
SHA256:hjOdnXq4Bl8pffN735YsGQ/cRoJ9LQVBsvwioQlzZfA.
Offending ED25519 key in /tmp/no-such-kh2:1
Host key for [127.0.0.1]:23451 has changed and you have requested strict checking.
Host key verification failed.`;
    const failure = masterFailure(log.split('\n'), false, 'exit code 255');
    expect(failure.code).toBe('host_key_changed');
    expect(failure.message).toBe(
      'the host key of [127.0.0.1]:23451 changed: it shows SHA256:hjOdnXq4Bl8pffN735YsGQ/cRoJ9LQVBsvwioQlzZfA, ' +
        '/tmp/no-such-kh2:1 has another; no login was tried',
    );
    expect(failure.hint).toContain('ssh-keygen -f "/tmp/no-such-kh2" -R "[127.0.0.1]:23451"');
  });
});

test.each([
  ['connect failed: Connection refused', 'target_refused'],
  ['connect failed: Connection timed out', 'target_timeout'],
  ['connect failed: Name or service not known', 'target_unreachable'],
  ['administratively prohibited: open failed', 'target_prohibited'],
])('a channel that is refused: %s', (reason, code) => {
  expect(channelFailure(reason, 'web:80')).toMatchObject({ code, message: expect.stringContaining('web:80') });
});

test.each([
  [
    'debug1: Connection to port -2 forwarding to 127.0.0.1 port 80 requested.',
    { is: 'requested', target: loggedTarget('127.0.0.1', 80) },
  ],
  [
    'debug1: Connection to port -2 forwarding to /a b port -2 requested.',
    { is: 'requested', target: loggedTarget('/a b', -2) },
  ],
  ['debug1: channel 7: new direct-tcpip [direct-tcpip] (inactive timeout: 0)', { is: 'channel', channel: 7 }],
  ['debug1: channel 7: new [direct-tcpip]', { is: 'channel', channel: 7 }],
  ['debug1: channel 7: new mux-control [mux-control] (inactive timeout: 0)', null],
  [
    'debug2: channels.c:channel_input_open_confirmation():3518 (pid=1): channel 1: open confirm rwindow 2 rmax 3',
    { is: 'confirmed', channel: 1 },
  ],
  [
    'channel 3: open failed: connect failed: Connection refused',
    { is: 'refused', channel: 3, reason: 'connect failed: Connection refused' },
  ],
  [
    'debug1: client_request_forwarded_tcpip: listen 127.0.0.1 port 35369, originator ::1 port 52104',
    { is: 'incoming', port: 35369, address: '::1', originPort: 52104 },
  ],
  [
    'debug1: kex: server->client cipher: aes128-gcm@openssh.com MAC: <implicit> compression: none',
    { is: 'cipher', cipher: 'aes128-gcm@openssh.com' },
  ],
  ['Authenticated to h ([::1]:22) using "publickey".', { is: 'authenticated', address: '[::1]:22' }],
  ['Authenticated to h (via proxy) using "publickey".', { is: 'authenticated', address: 'h (via proxy)' }],
  ['anything else', null],
])('log line %s', (line, event) => {
  expect(readLogLine(line)).toEqual(event);
});

test('lines are cut wherever the chunks end, and long ones lose their rest', () => {
  const text = `one\r\ntwo\n\n${'x'.repeat(50)}\nlast`;
  const all: string[] = [];
  const whole = new LineCutter((line) => all.push(line), 10);
  const bytewise: string[] = [];
  const single = new LineCutter((line) => bytewise.push(line), 10);
  whole.push(text);
  for (const char of text) single.push(char);
  expect(all).toEqual(['one', 'two', '', 'x'.repeat(10)]);
  expect(bytewise).toEqual(all);
});

const unknownKey = `The authenticity of host '[127.0.0.1]:23451 ([127.0.0.1]:23451)' can't be established.
ED25519 key fingerprint is SHA256:hjOdnXq4Bl8pffN735YsGQ/cRoJ9LQVBsvwioQlzZfA.
This key is not known by any other names.
Are you sure you want to continue connecting (yes/no/[fingerprint])? `;

describe('questions of ssh', () => {
  test.each([
    ["Enter passphrase for key '/root/.ssh/id': ", { kind: 'passphrase', title: 'passphrase for /root/.ssh/id' }],
    ['Enter PIN for ED25519-SK key /x: ', { kind: 'passphrase', title: 'PIN for ED25519-SK key /x' }],
    ["root@127.0.0.1's password: ", { kind: 'password', title: 'password of root@127.0.0.1' }],
    ['(root@h) Password: ', { kind: 'password', title: 'password of root@h' }],
    ['(root@h) Verification code: ', { kind: 'question', title: 'Verification code (root@h)' }],
    ['Accept updated hostkeys? (yes/no): ', { kind: 'question', title: 'Accept updated hostkeys? (yes/no)' }],
  ])('%s', (text, expected) => {
    const asked = readPrompt(text);
    expect(asked).toMatchObject(expected);
    expect(asked.fields).toHaveLength(1);
    expect(asked.fields[0]?.echo).toBe(text.includes('yes/no'));
  });

  test('an unknown host key, and the same asked again', () => {
    const asked = readPrompt(unknownKey);
    expect(asked).toMatchObject({
      kind: 'host_key',
      keyType: 'ED25519',
      fingerprint: 'SHA256:hjOdnXq4Bl8pffN735YsGQ/cRoJ9LQVBsvwioQlzZfA',
      title: 'unknown host key of [127.0.0.1]:23451 ([127.0.0.1]:23451)',
      fields: [],
    });
    expect(readPrompt("Please type 'yes', 'no' or the fingerprint: ", asked)).toBe(asked);
  });
});
