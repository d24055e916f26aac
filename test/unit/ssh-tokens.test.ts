import os from 'node:os';
import { expect, test } from 'vitest';
import { agentSocket } from '../../src/ssh/agent-socket.ts';
import { optionOn, optionSeconds, optionText, optionWords } from '../../src/ssh/option-values.ts';
import { destinationHost, expandPath, expandTokens, type TokenValues, tokenValues } from '../../src/ssh/tokens.ts';

const values: TokenValues = {
  originalHost: 'box',
  hostname: 'box.example.com',
  port: '2222',
  user: 'ann',
  keyAlias: 'box',
  jump: '',
  localUser: 'me',
  localHost: 'here.example.net',
  home: '/home/me',
  uid: '1000',
  env: { KEYS: '/keys', ODD: '50%h', SSH_AUTH_SOCK: '/agent', OTHER: '/other-agent' },
};

/** A variable as the configuration refers to it. */
const variable = (name: string) => ['$', '{', name, '}'].join('');

test('every token', () => {
  expect(expandTokens('%% %d %h %i %k %L %l %n %p %r %u', values)).toBe(
    '% /home/me box.example.com 1000 box here here.example.net box 2222 ann me',
  );
  expect(expandTokens('%C', values)).toMatch(/^[0-9a-f]{40}$/);
  expect(() => expandTokens('%z', values)).toThrow(/unknown token %z/);
  expect(() => expandTokens('100%', values)).toThrow(/unknown token/);
});

test('paths: home, other homes, variables, tokens', () => {
  expect(expandPath('~/.ssh/id_%h', values)).toBe('/home/me/.ssh/id_box.example.com');
  expect(expandPath('~root/key', values)).toBe('/root/key');
  expect(expandPath(`${variable('KEYS')}/a`, values)).toBe('/keys/a');
  expect(expandPath(`/x/${variable('ODD')}`, values)).toBe('/x/50%h');
  expect(() => expandPath(`${variable('NOT_SET')}/a`, values)).toThrow(/NOT_SET is not set/);
  expect(() => expandPath('~no-such-user/a', values)).toThrow(/no user/);
});

test('the values of a destination', () => {
  expect(destinationHost('ann@box')).toBe('box');
  expect(destinationHost('ssh://ann@box:22')).toBe('box');
  expect(destinationHost('ssh://[::1]:22')).toBe('::1');
  const found = tokenValues(
    'ann@box',
    { hostname: 'box.example.com', port: '22', hostkeyalias: 'alias' },
    { HOME: '/h' },
  );
  expect(found).toMatchObject({
    originalHost: 'box',
    keyAlias: 'alias',
    home: '/h',
    localUser: os.userInfo().username,
  });
});

test('which agent', () => {
  expect(agentSocket({}, values)).toBe('/agent');
  expect(agentSocket({ identityagent: 'SSH_AUTH_SOCK' }, values)).toBe('/agent');
  expect(agentSocket({ identityagent: 'none' }, values)).toBeNull();
  expect(agentSocket({ identityagent: '$OTHER' }, values)).toBe('/other-agent');
  expect(agentSocket({ identityagent: '$UNSET' }, values)).toBeNull();
  expect(agentSocket({ identityagent: '~/agent.%u' }, values)).toBe('/home/me/agent.me');
});

test('single values as ssh -G prints them', () => {
  const options = { a: 'true', b: 'no', c: 'none', d: '1m30', e: '/x "/y z" none', f: ['one', 'two'] };
  expect([optionOn(options, 'a', false), optionOn(options, 'b', true), optionOn(options, 'zz', true)]).toEqual([
    true,
    false,
    true,
  ]);
  expect(optionText(options, 'c')).toBe('');
  expect(optionText(options, 'f')).toBe('one');
  expect(optionSeconds(options, 'd', 0)).toBe(90);
  expect(optionSeconds(options, 'c', 7)).toBe(7);
  expect(optionWords(options, 'e')).toEqual(['/x', '/y z']);
});
