import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ProcessInfo, parseCmdline, parseStat, programName } from '../../../src/machine/processes.ts';
import { scanRows } from '../../../src/machine/scan.ts';
import type { Listener } from '../../../src/machine/sockets.ts';
import { parseTcpInfo } from '../../../src/machine/tcp-info.ts';
import { parsePasswd } from '../../../src/machine/users.ts';
import { parseForwardSpec } from '../../../src/model/endpoint.ts';
import { shellQuote } from '../../../src/model/shell-words.ts';

const process = (pid: number, argv: string[], ppid = 1): ProcessInfo => ({
  pid,
  ppid,
  uid: 1000,
  user: 'alice',
  argv,
  startedAt: null,
});
const listener = (pid: number, address: string, port: number): Listener => ({
  proto: 'tcp',
  address,
  port,
  inode: port,
  uid: 1000,
  pid,
  program: 'ssh',
  user: 'alice',
});
/** Enough of a parser for these command lines. */
const parse = (words: string[]) => ({
  dest: words.at(-1) ?? '',
  specs: words.flatMap((word, i) => {
    const kind = ({ '-L': 'local', '-R': 'remote', '-D': 'dynamic' } as const)[words[i - 1] ?? ''];
    return kind === undefined ? [] : [parseForwardSpec(kind, word)];
  }),
});
const nothing = { processes: [], listeners: [], connections: null, parse, ourPids: new Set<number>() };

describe('forwards sallyport does not manage', () => {
  test('a command line gives a row for each of its forwards', () => {
    const argv = ['/usr/bin/ssh', '-N', '-o', 'User=a b', '-L', '8080:web:80', '-D', '1080', '-R', '9000:x:1', 'box'];
    const rows = scanRows({
      ...nothing,
      processes: [process(7, argv)],
      listeners: [
        listener(7, '127.0.0.1', 8080),
        listener(7, '::1', 8080),
        listener(7, '::1', 1080),
        listener(7, '127.0.0.1', 1080),
      ],
      connections: [
        {
          local: { address: '127.0.0.1', port: 8080 },
          remote: { address: '127.0.0.1', port: 50_000 },
          bytesAcked: 500,
          bytesReceived: 20,
        },
        {
          local: { address: '::1', port: 8080 },
          remote: { address: '::1', port: 50_001 },
          bytesAcked: 5,
          bytesReceived: 1,
        },
      ],
    });
    const command = "sallyport import -- ssh -N -o 'User=a b' -L 8080:web:80 -D 1080 -R 9000:x:1 box";
    const base = { owner: 'ssh', user: 'alice', pid: 7, import: command };
    expect(rows).toEqual([
      { ...base, kind: 'local', listen: '127.0.0.1:8080', target: 'web:80', rx: 505, tx: 21 },
      { ...base, kind: 'dynamic', listen: '127.0.0.1:1080', target: null, rx: 0, tx: 0 },
      { ...base, kind: 'remote', listen: '127.0.0.1:9000', target: 'x:1', rx: null, tx: null },
    ]);
  });

  test('listeners no word of the command line explains are listed without a target', () => {
    const rows = scanRows({
      ...nothing,
      processes: [process(7, ['ssh', '-N', 'box']), process(8, ['ssh: /run/ctl [mux]'])],
      listeners: [listener(7, '127.0.0.1', 1), listener(8, '0.0.0.0', 2)],
    });
    expect(rows).toMatchObject([
      { pid: 7, kind: 'local', listen: '127.0.0.1:1', target: null, import: null },
      { pid: 8, kind: 'local', listen: '0.0.0.0:2', target: null, import: null },
    ]);
  });

  test('a server session has its listeners, the server itself is no forward', () => {
    const rows = scanRows({
      ...nothing,
      processes: [
        process(5, ['sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups']),
        process(6, ['sshd: alice@pts/0']),
        process(9, ['sshd-session: bob']),
      ],
      listeners: [listener(5, '0.0.0.0', 22), listener(6, '127.0.0.1', 9000), listener(9, '::', 9001)],
    });
    expect(rows.map(({ owner, kind, listen, pid }) => ({ owner, kind, listen, pid }))).toEqual([
      { owner: 'sshd', kind: 'remote', listen: '127.0.0.1:9000', pid: 6 },
      { owner: 'sshd', kind: 'remote', listen: '[::]:9001', pid: 9 },
    ]);
  });

  test('what sallyport runs is left out, however deep', () => {
    const processes = [process(2, ['node']), process(3, ['sh'], 2), process(4, ['ssh', '-L', '1:a:1', 'box'], 3)];
    expect(scanRows({ ...nothing, processes, ourPids: new Set([2]) })).toEqual([]);
    expect(scanRows({ ...nothing, processes })).toHaveLength(1);
  });

  test('other programs are not ssh', () => {
    const processes = [process(2, ['sshuttle', '-L', '1:a:1']), process(3, ['vim', 'ssh']), process(4, [])];
    expect(scanRows({ ...nothing, processes, listeners: [listener(2, '127.0.0.1', 1)] })).toEqual([]);
  });
});

test('connections with their byte counts, as ss prints them', () => {
  const text = `ESTAB 0      0      127.0.0.1:45519 127.0.0.1:57108 timer:(keepalive,119min,0) ino:19532 sk:d <-> ts sack bbr rto:208 bytes_sent:3345 bytes_acked:3345 bytes_received:3437 segs_out:12
ESTAB 0 0 [::ffff:10.0.0.1]:22 [::ffff:10.0.0.2]:5000 cubic bytes_received:7
ESTAB 0 0 [fe80::1]%eth0:22 [fe80::2]%eth0:5000 cubic
LISTEN 0 128 0.0.0.0:22 0.0.0.0:* cubic cwnd:10
`;
  expect(parseTcpInfo(text)).toEqual([
    {
      local: { address: '127.0.0.1', port: 45_519 },
      remote: { address: '127.0.0.1', port: 57_108 },
      bytesAcked: 3345,
      bytesReceived: 3437,
    },
    {
      local: { address: '10.0.0.1', port: 22 },
      remote: { address: '10.0.0.2', port: 5000 },
      bytesAcked: 0,
      bytesReceived: 7,
    },
    {
      local: { address: 'fe80::1', port: 22 },
      remote: { address: 'fe80::2', port: 5000 },
      bytesAcked: 0,
      bytesReceived: 0,
    },
  ]);
});

test('a shell gives back the quoted words', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')),
        { maxLength: 6 },
      ),
      (words) => {
        const wellFormed = words.map((word) => word.toWellFormed());
        const script = `printf '%s\\0' ${shellQuote(wellFormed)}`;
        const out = execFileSync('sh', ['-c', wellFormed.length === 0 ? ':' : script]).toString();
        expect(out.split('\0').slice(0, -1)).toEqual(wellFormed);
      },
    ),
    { numRuns: 40 },
  );
});

describe('what /proc says of a process', () => {
  test('a name with brackets and spaces does not shift the fields', () => {
    const stat = `12 (a) (b c) S 7 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1000 200`;
    expect(parseStat(stat)).toEqual({ ppid: 7, startTicks: 4242 });
    expect(parseStat('')).toBeNull();
  });

  test('words, and a padded title', () => {
    expect(parseCmdline('ssh\0-N\0\0box\0')).toEqual(['ssh', '-N', '', 'box']);
    expect(parseCmdline('sshd: root\0\0\0\0')).toEqual(['sshd: root']);
    expect(parseCmdline('')).toEqual([]);
  });

  test.each([
    [['/usr/sbin/nginx', '-g'], 'nginx', 'nginx'],
    [['nginx: master process /usr/sbin/nginx'], 'nginx', 'nginx'],
    [['sshd: root@pts/0'], 'sshd', 'sshd'],
    [['-bash'], 'bash', 'bash'],
    [[], 'kworker/0:1\n', 'kworker/0:1'],
    [['\u001b[31mevil'], 'x', '[31mevil'],
  ])('%j (%j) is called %j', (argv, comm, name) => {
    expect(programName(argv, comm)).toBe(name);
  });

  test('the first name of a user id counts', () => {
    const users = parsePasswd(
      'root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nbad line\nalice:x:1000:1000::/home/alice:\n',
    );
    expect([...users]).toEqual([
      [0, 'root'],
      [1000, 'alice'],
    ]);
  });
});
