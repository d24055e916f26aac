// Runs the router gateway in a process of its own, so that it can live in a network namespace and be killed.
// Takes options as JSON in argv, commands as JSON lines on stdin; prints JSON lines.
import { createInterface } from 'node:readline';
import { createRouterGateway } from '../../src/gateways/router/router.ts';
import { toFailure } from '../../src/model/errors.ts';

const print = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);
const gateway = createRouterGateway({
  ...JSON.parse(process.argv[2] ?? '{}'),
  reports: {
    status: (owner, status) => print({ status: { owner, ...status } }),
    note: (level, owner, code, message) => print({ note: { level, owner, code, message } }),
  },
});

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, call, args } = JSON.parse(line);
  try {
    const method = gateway[call as 'sync'] as (...args: unknown[]) => Promise<unknown>;
    print({ id, value: (await method.apply(gateway, args)) ?? null });
  } catch (error) {
    print({ id, error: toFailure(error) });
  }
});
print({ id: 0, value: 'ready' });
