import { describe, expect, test } from 'vitest';
import { formatListen } from '../../src/model/endpoint.ts';
import { parseSshCommand } from '../../src/ssh/import-command.ts';
import { nameForImport } from '../../src/ssh/import-config.ts';
import { sshArgs } from '../../src/ssh/request.ts';

const read = (line: string) => parseSshCommand(line.split(' '));

describe('an ssh command line', () => {
  test('gives its host, its options and its forwards', () => {
    expect(read('ssh -N -C -J a,b -L 8080:web:80 -R 9090 -D [::1]:1080 -p 22 -l me -i k1 -i k2 -F cfg b')).toEqual({
      dest: 'b',
      overrides: {
        compression: true,
        jump: 'a,b',
        port: 22,
        user: 'me',
        identities: ['k1', 'k2'],
        configFile: 'cfg',
      },
      specs: [
        { kind: 'local', listen: { port: 8080 }, target: { host: 'web', port: 80 } },
        { kind: 'remote', listen: { port: 9090 }, target: null },
        { kind: 'dynamic', listen: { address: '::1', port: 1080 }, target: null },
      ],
      ignored: [],
    });
  });

  test.each([
    ['ssh -NfCL 1:h:2 b', 'b', 1],
    ['ssh b -NL1:h:2', 'b', 1],
    ['ssh -fN b -L 1:h:2 -D 5', 'b', 2],
    ['/usr/bin/ssh -L 1:h:2 -- b', 'b', 1],
    ['-D 1080 ssh://me@b:22', 'ssh://me@b:22', 1],
    ['ssh -- b', 'b', 0],
    ['autossh -M 0 -fN -L 1:h:2 b', 'b', 1],
    ['AUTOSSH_GATETIME=0 nohup /usr/bin/autossh -NM20000:20001 -L 1:h:2 b', 'b', 1],
  ])('%s', (line, dest, count) => {
    const command = read(line);
    expect(command.dest).toBe(dest);
    expect(command.specs).toHaveLength(count);
  });

  test('options of ssh_config become options, forwards among them forwards', () => {
    const command = parseSshCommand([
      'ssh',
      ...['-o', 'ServerAliveInterval 5', '-oStrictHostKeyChecking=no', '-o', 'LocalForward 8080 "web:80"'],
      ...['-o', 'DynamicForward=1080', '-b', '127.0.0.2', '-c', 'aes128-ctr', '-4', 'b'],
    ]);
    expect(command.overrides.options).toEqual([
      'ServerAliveInterval=5',
      'StrictHostKeyChecking=no',
      'BindAddress=127.0.0.2',
      'Ciphers=aes128-ctr',
      'AddressFamily=inet',
    ]);
    expect(command.specs.map(({ kind, listen }) => [kind, formatListen(listen)])).toEqual([
      ['local', '127.0.0.1:8080'],
      ['dynamic', '127.0.0.1:1080'],
    ]);
    expect(sshArgs(command.overrides)).toContain('Ciphers=aes128-ctr');
  });

  test('-g opens what names no address, and nothing else', () => {
    const command = read('ssh -gN -L 1:h:2 -L 127.0.0.1:2:h:2 -R 3:h:2 b');
    expect(command.specs.map(({ listen }) => listen)).toEqual([
      { address: '*', port: 1 },
      { address: '127.0.0.1', port: 2 },
      { port: 3 },
    ]);
  });

  test('the first user and port count, as with ssh', () => {
    expect(read('ssh -p 1 -p 2 -l a -l b -D 5 h').overrides).toEqual({ port: 1, user: 'a' });
  });

  test('relative paths are those of the folder it was written in', () => {
    const { overrides } = parseSshCommand('ssh -i k -i ~/k -i %d/k -F cfg -D 1 b'.split(' '), '/here');
    expect(overrides).toEqual({ identities: ['/here/k', '~/k', '%d/k'], configFile: '/here/cfg' });
    expect(parseSshCommand(['-F', 'none', '-D', '1', 'b'], '/here').overrides).toEqual({ configFile: 'none' });
  });

  test('another program is named', () => {
    expect(() => read('plink -L 1:h:2 b')).toThrow('"plink" is not ssh');
    expect(() => read('sudo ssh -L 1:h:2 b')).toThrow('"sudo" is not ssh');
  });

  test('what has no meaning for a kept forward is named', () => {
    expect(read('ssh -AXtN -M -S /ctl -E log -D 1 b').ignored).toEqual(['-A', '-X', '-t', '-M', '-S /ctl', '-E log']);
  });

  test.each([
    ['ssh', /no host/],
    ['ssh -D 1', /no host/],
    ['ssh -D 1 b uptime', /runs "uptime"/],
    ['ssh -D 1 b -- uptime', /runs "uptime"/],
    ['ssh -D 1 b -N uptime -L x', /runs "uptime -L x"/],
    ['ssh -z b', /no option -z/],
    ['ssh --foo b', /no option --/],
    ['ssh b -L', /-L needs a value/],
    ['ssh -W h:1 b', /-W/],
    ['ssh -w 0:0 b', /-w/],
    ['ssh -s b', /-s/],
    ['ssh -J a -J b c', /once only/],
    ['ssh -o Port b', /not an option/],
  ])('%s is refused', (line, message) => {
    expect(() => read(line)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringMatching(message) }),
    );
  });

  test('bad values are named', () => {
    expect(() => read('ssh -p 70000 b')).toThrow(expect.objectContaining({ code: 'bad_value' }));
    expect(() => read('ssh -L nonsense b')).toThrow(expect.objectContaining({ code: 'bad_spec' }));
  });
});

test('names for what is imported are free and in form', () => {
  const taken = new Set(['web', 'web-2']);
  expect(nameForImport('web', taken)).toBe('web-3');
  expect(nameForImport('me@box.example', taken)).toBe('me-box.example');
  expect(nameForImport('[::1]', taken)).toBe('1');
  expect(nameForImport('x'.repeat(80), new Set(['x'.repeat(64)]))).toBe(`${'x'.repeat(62)}-2`);
});
