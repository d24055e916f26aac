import { engineBeside } from '../client/connect.ts';
import { toFailure } from '../model/errors.ts';
import { findHome } from '../model/home.ts';
import { list } from './commands/ls.ts';
import { type Context, contextFrom } from './context.ts';
import { openDashboard } from './dashboard.ts';
import { exitCodeOf, exitCodes } from './exit.ts';
import { namingCommand, reportFailure } from './failure.ts';
import { outputTo } from './output.ts';
import { readRemote, runRemote } from './remote.ts';
import { Interrupted } from './terminal.ts';

const interrupted = 130;

async function run(context: Context): Promise<number> {
  const { argv, stdin, stdout, stderr, env, home } = context;
  const remote = readRemote(argv);
  if (remote !== null) {
    const terminal = stdin.isTTY === true && stdout.isTTY === true && stderr.isTTY === true;
    return runRemote(remote, { terminal, json: context.json }, env.SALLYPORT_REMOTE);
  }
  if (argv.every((word) => word === '--json')) {
    context.running = 'ls';
    // A dumb terminal cannot be drawn on.
    if (argv.length > 0 || !stdin.isTTY || !stdout.isTTY || env.TERM === 'dumb') await list(context, argv.length > 0);
    else return openDashboard({ client: () => context.engine(), home, env, stdin, stdout });
    return context.exitCode;
  }
  // The dashboard's first frame does not wait for all the commands to be read.
  const { runProgram } = await import('./program.ts');
  await runProgram(context);
  return context.exitCode;
}

const unread = new AbortController();
const argv = process.argv.slice(2);
const context = contextFrom({
  home: findHome(process.env),
  env: process.env,
  cwd: process.cwd(),
  argv,
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  out: outputTo(process.stdout, process.stderr, () => unread.abort()),
  engineFile: engineBeside(process.argv[1]),
  signal: unread.signal,
});
let code: number;
try {
  code = await run(context);
} catch (error) {
  if (error instanceof Interrupted) code = interrupted;
  else {
    const failure = toFailure(error);
    reportFailure(context.out, context.json ? failure : namingCommand(failure, context.running), context.json);
    code = exitCodeOf(failure.code);
  }
}
const whole = await context.out.flush();
process.exit(whole || code !== exitCodes.done ? code : exitCodes.failed);
