import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  coversHost,
  fingerprint,
  formatKnownHost,
  judgeHostKey,
  knownHostName,
  orderByKnown,
  parseKnownHosts,
  replaceHostKeys,
} from '../../src/ssh/known-hosts.ts';
import { missing } from '../support/tools.ts';

/** A key blob that is well formed enough for the file format: its type, then bytes. */
function fakeKey(type: string, seed: number) {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(type.length);
  return { type, key: Buffer.concat([head, Buffer.from(type), Buffer.alloc(32, seed)]).toString('base64') };
}

const ed = fakeKey('ssh-ed25519', 1);
const ed2 = fakeKey('ssh-ed25519', 2);
const rsa = fakeKey('ssh-rsa', 3);
const ecdsa256 = fakeKey('ecdsa-sha2-nistp256', 4);
const ecdsa384 = fakeKey('ecdsa-sha2-nistp384', 5);
const line = (hosts: string, key: { type: string; key: string }) => `${hosts} ${key.type} ${key.key} a comment`;
const parse = (...lines: string[]) => parseKnownHosts(`${lines.join('\n')}\n`, '/kh');

describe('parsing', () => {
  test('passes over comments, blank lines and what is no key', () => {
    const entries = parse(
      '# host ssh-ed25519 AAAA',
      '',
      '   ',
      'host',
      'host ssh-ed25519',
      'host ssh-ed25519 not-base-64-of-a-key',
      'host 1024 35 1234567890',
      `host ssh-rsa ${ed.key}`,
      line('  host\t', ed).replace(' ssh', '\tssh'),
      `@unknown ${line('host', ed)}`,
    );
    expect(entries).toEqual([{ ...ed, marker: null, hosts: 'host', file: '/kh', line: 9 }]);
  });

  test('reads markers', () => {
    const entries = parse(`@revoked ${line('*', ed)}`, `@cert-authority ${line('*.example.com', rsa)}`);
    expect(entries.map(({ marker, hosts }) => [marker, hosts])).toEqual([
      ['revoked', '*'],
      ['cert-authority', '*.example.com'],
    ]);
  });

  test('a file with Windows line ends', () => {
    expect(parseKnownHosts(`${line('host', ed)}\r\n`, 'f')).toHaveLength(1);
    expect(parseKnownHosts(`host ${ed.type} ${ed.key}\r\n`, 'f')[0]?.key).toBe(ed.key);
  });
});

test('a port other than 22 is part of the name, and names are lower case', () => {
  expect(knownHostName('Example.COM', 22)).toBe('example.com');
  expect(knownHostName('Example.COM', 2222)).toBe('[example.com]:2222');
  expect(knownHostName('::1', 2222)).toBe('[::1]:2222');
});

describe('which host fields cover a name', () => {
  test.each([
    ['host', 'host', true],
    ['HOST', 'host', true],
    ['host', 'host2', false],
    ['a,host,b', 'host', true],
    ['*', 'anything', true],
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'example.com', false],
    ['h?st', 'host', true],
    ['h?st', 'hst', false],
    ['*.example.com,!bad.example.com', 'bad.example.com', false],
    ['!bad.example.com,*.example.com', 'good.example.com', true],
    ['!host', 'other', false],
    ['[host]:2222', '[host]:2222', true],
    ['host', '[host]:2222', false],
    ['[*]:2222', '[host]:2222', true],
    ['', 'host', false],
    ['|1|', 'host', false],
    ['|1|AAAA', 'host', false],
    ['|2|AAAA|AAAA', 'host', false],
  ])('%s and %s: %s', (hosts, name, covered) => {
    expect(coversHost(hosts, name)).toBe(covered);
  });

  test('many stars take no time', () => {
    expect(coversHost(`${'*a'.repeat(200)}b`, 'a'.repeat(5000))).toBe(false);
  });
});

describe('verdicts', () => {
  test('known, whichever file and line', () => {
    const entries = [...parse(line('other', ed2)), ...parseKnownHosts(line('host', ed), '/second')];
    expect(judgeHostKey(entries, 'host', ed)).toMatchObject({ is: 'known', entry: { file: '/second', line: 1 } });
  });

  test('several keys of one type: any of them will do', () => {
    expect(judgeHostKey(parse(line('host', ed2), line('host', ed)), 'host', ed).is).toBe('known');
  });

  test('changed names the line it differs from', () => {
    expect(judgeHostKey(parse(line('x', ed), line('host', ed2)), 'host', ed)).toMatchObject({
      is: 'changed',
      entry: { line: 2, key: ed2.key },
    });
  });

  test('another type is not a change, and is told', () => {
    expect(judgeHostKey(parse(line('host', rsa)), 'host', ed)).toMatchObject({
      is: 'unknown',
      others: [{ type: 'ssh-rsa' }],
    });
  });

  test('the curves of ECDSA are one type', () => {
    expect(judgeHostKey(parse(line('host', ecdsa256)), 'host', ecdsa384).is).toBe('changed');
  });

  test('revoked wins over known, for that key alone', () => {
    const entries = parse(line('host', ed), `@revoked ${line('*', ed)}`);
    expect(judgeHostKey(entries, 'host', ed)).toMatchObject({ is: 'revoked', entry: { line: 2 } });
    expect(judgeHostKey(parse(line('host', ed2), `@revoked ${line('*', ed)}`), 'host', ed2).is).toBe('known');
  });

  test('an authority vouches for no plain key', () => {
    expect(judgeHostKey(parse(`@cert-authority ${line('*', ed)}`), 'host', ed).is).toBe('unknown');
  });
});

describe('order of algorithms', () => {
  const algorithms = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'];

  test('what can prove a known key comes first', () => {
    expect(orderByKnown(algorithms, parse(line('host', rsa)), ['host'])).toEqual([
      'rsa-sha2-512',
      'rsa-sha2-256',
      'ssh-ed25519',
      'ecdsa-sha2-nistp256',
    ]);
  });

  test('unchanged where the first is known, or nothing is', () => {
    expect(orderByKnown(algorithms, parse(line('host', rsa), line('host', ed)), ['host'])).toEqual(algorithms);
    expect(orderByKnown(algorithms, parse(line('other', rsa)), ['host'])).toEqual(algorithms);
    expect(orderByKnown(algorithms, parse(`@cert-authority ${line('*', rsa)}`), ['host'])).toEqual(algorithms);
  });
});

describe('replacing keys the server no longer has', () => {
  const text = ['# mine', line('host', ed), line('other', ed), ''].join('\n');

  test('adds new ones, drops rotated ones, leaves the rest', () => {
    const next = replaceHostKeys(text, ['host'], [ed2, rsa], () => null) as string;
    expect(next.split('\n')).toEqual([
      '# mine',
      line('other', ed),
      `host ${ed2.type} ${ed2.key}`,
      `host ${rsa.type} ${rsa.key}`,
      '',
    ]);
  });

  test('nothing to do, not ours to do, or a type not proven', () => {
    expect(replaceHostKeys(text, ['host'], [ed], () => null)).toBeNull();
    expect(replaceHostKeys(text, ['nobody'], [ed2], () => null)).toBeNull();
    expect(replaceHostKeys(`${line('host,alias', ed)}\n`, ['host'], [ed2], () => null)).toBeNull();
    expect(replaceHostKeys(`${line('h*', ed)}\n`, ['host'], [ed2], () => null)).toBeNull();
    expect(replaceHostKeys(text, ['host'], [ed, rsa], () => null)).toContain(line('host', ed));
  });
});

describe.skipIf(missing('ssh'))('agrees with ssh-keygen', () => {
  let dir: string;
  let key: { type: string; key: string };
  beforeAll(() => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'kh-'));
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path.join(dir, 'k')]);
    const [type, blob] = readFileSync(path.join(dir, 'k.pub'), 'utf8').split(' ') as [string, string];
    key = { type, key: blob };
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test('on fingerprints', () => {
    const shown = execFileSync('ssh-keygen', ['-lf', path.join(dir, 'k.pub')], { encoding: 'utf8' });
    expect(shown.split(' ')[1]).toBe(fingerprint(key.key));
  });

  test('on names it hashed, and it on ours', () => {
    const file = path.join(dir, 'known_hosts');
    writeFileSync(file, `[host.example]:2222,plain ${key.type} ${key.key}\n`);
    execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' });
    const entries = parseKnownHosts(readFileSync(file, 'utf8'), file);
    expect(entries.every((entry) => entry.hosts.startsWith('|1|'))).toBe(true);
    expect(judgeHostKey(entries, '[host.example]:2222', key).is).toBe('known');
    expect(judgeHostKey(entries, 'plain', key).is).toBe('known');
    expect(judgeHostKey(entries, 'host.example', key).is).toBe('unknown');
    writeFileSync(file, `${formatKnownHost('[host.example]:2200', key, Buffer.alloc(20, 7))}\n`);
    const found = execFileSync('ssh-keygen', ['-F', '[host.example]:2200', '-f', file], { encoding: 'utf8' });
    expect(found).toContain('found: line 1');
  });
});
