import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { gatherWrites } from '../../src/dataplane/carriers/ssh2/gather-writes.ts';
import { until } from '../support/until.ts';

/** A stream that keeps what each call to the kernel would have had. */
function sink() {
  const calls: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      calls.push(chunk.toString());
      done();
    },
    writev: (chunks, done) => {
      calls.push(chunks.map(({ chunk }) => chunk.toString()).join('|'));
      done();
    },
  });
  gatherWrites(stream);
  return { stream, calls };
}

test('what is written in one turn leaves in one call, in order', async () => {
  const { stream, calls } = sink();
  stream.write('a');
  stream.write('b');
  await Promise.resolve();
  stream.write('c');
  expect(calls).toEqual([]);
  await until('the call', () => calls.length > 0);
  stream.write('d');
  await until('the next', () => calls.length > 1);
  expect(calls).toEqual(['a|b|c', 'd']);
});

test('much leaves at once, and an end takes the rest along', async () => {
  const { stream, calls } = sink();
  const much = 'x'.repeat(64 << 10);
  stream.write('a');
  stream.write(much);
  expect(calls).toEqual([`a|${much}`]);
  stream.write('b');
  stream.end('c');
  await until('the rest', () => calls.length > 1);
  expect(calls.slice(1).join('|')).toBe('b|c');
});
