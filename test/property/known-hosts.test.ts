import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  coversHost,
  formatKnownHost,
  judgeHostKey,
  knownHostName,
  parseKnownHosts,
} from '../../src/ssh/known-hosts.ts';
import { plainText } from '../../src/ssh/plain-text.ts';

const hostName = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?$/);
const port = fc.integer({ min: 1, max: 65_535 });
const salt = fc.option(fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => Buffer.from(bytes)));
const hostKey = fc
  .tuple(
    fc.constantFrom('ssh-ed25519', 'ssh-rsa', 'ecdsa-sha2-nistp256'),
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
  )
  .map(([type, bytes]) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(type.length);
    return { type, key: Buffer.concat([head, Buffer.from(type), bytes]).toString('base64') };
  });

test('what is written is known again, by that name and no other, hashed or not', () => {
  fc.assert(
    fc.property(hostName, hostName, port, port, hostKey, salt, (host, other, onPort, otherPort, key, bytes) => {
      const name = knownHostName(host, onPort);
      const otherName = knownHostName(other, otherPort);
      const entries = parseKnownHosts(`${formatKnownHost(name, key, bytes)}\n`, 'f');
      expect(judgeHostKey(entries, name, key).is).toBe('known');
      if (name !== otherName) expect(judgeHostKey(entries, otherName, key).is).toBe('unknown');
    }),
  );
});

test('a pattern agrees with the regular expression that says the same', () => {
  const part = fc.stringMatching(/^[ab.*?]{0,8}$/);
  fc.assert(
    fc.property(part, fc.stringMatching(/^[ab.]{0,8}$/), (pattern, name) => {
      const source = pattern.replace(/\./g, '\\.').replace(/\*/g, '.*').replace(/\?/g, '.');
      expect(coversHost(pattern, name)).toBe(new RegExp(`^${source}$`).test(name));
    }),
    { numRuns: 500 },
  );
});

test('no text makes the parser throw, and every entry keeps its line', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (lines) => {
      for (const entry of parseKnownHosts(lines.join('\n'), 'f')) expect(entry.line).toBeGreaterThan(0);
    }),
  );
});

test('plain text is one bounded line without control characters, whatever it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), fc.integer({ min: 1, max: 200 }), (text, max) => {
      const plain = plainText(text, max);
      expect(plain.length).toBeLessThanOrEqual(max);
      expect(plain).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]/);
    }),
  );
  expect(plainText('a\x1b[31mred\x1b[0m \x1b]0;title\x07b\r\n\tc')).toBe('ared b c');
});
