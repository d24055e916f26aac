// The engine's process: claims the home, composes the engine, serves its socket until it is told to stop.
import { rmSync } from 'node:fs';
import type net from 'node:net';
import path from 'node:path';
import { sweepRuntimeDirs } from '../dataplane/carriers/openssh/runtime-dir.ts';
import { toFailure } from '../model/errors.ts';
import { findHome, homeFailure } from '../model/home.ts';
import { planLinks } from '../ssh/plan.ts';
import { sshEnvironment } from '../ssh/resolve.ts';
import { openConfigFile } from '../store/config-file.ts';
import { atMost } from './at-most.ts';
import { createEngine } from './engine.ts';
import { forwardHandlers, viewAll } from './handlers/forwards.ts';
import { hostHandlers } from './handlers/hosts.ts';
import { importHandlers } from './handlers/import.ts';
import { lifecycleHandlers } from './handlers/lifecycle.ts';
import { reportHandlers } from './handlers/reports.ts';
import { trafficHandlers } from './handlers/traffic.ts';
import { triggerHandlers } from './handlers/triggers.ts';
import { localDay, openLedger } from './ledger.ts';
import { openLog } from './log.ts';
import { memoizeFor } from './memoize.ts';
import { serveMetrics } from './metrics.ts';
import { type Handlers, serve } from './server.ts';
import { claimSocket } from './socket.ts';
import { clearTraces } from './traces.ts';

const totalsEveryMs = 10_000;
const kernelWaitMs = 3000;
/** EX_TEMPFAIL of sysexits.h: systemd, told `Restart=on-failure`, starts the next build. */
const handoverExit = 75;

async function main(): Promise<void> {
  // Whatever is made from here on, sockets and files, is the user's alone.
  process.umask(0o077);
  // A terminal that closes does not take the engine with it.
  process.on('SIGHUP', () => {});
  const home = findHome(process.env);
  const server = await claimSocket(home.socket);
  const early: net.Socket[] = [];
  let accept = (socket: net.Socket): void => void early.push(socket);
  server.on('connection', (socket) => accept(socket));
  const release = () => rmSync(home.socket, { force: true });
  process.on('exit', release);
  const routerAddress = process.env.SALLYPORT_ROUTER || null;
  if (process.argv[2] === 'clear') {
    // No engine runs, as the socket is ours; what a killed one left goes.
    await clearTraces(home, routerAddress);
    process.exit(0);
  }

  const supervised = process.env.SYSTEMD_EXEC_PID === String(process.pid);
  const ledger = openLedger(path.join(home.stateDir, 'totals.json'), localDay);
  const log = await openLog(home.logFile);
  process.on('uncaughtException', (error) => log.error({ err: error }, 'uncaught'));
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled'));

  const plan = memoizeFor(2000, planLinks, (request, options) => JSON.stringify([request, options]));
  const engine = createEngine({
    home,
    file: openConfigFile(home.configDir),
    log,
    workerFile: path.join(path.dirname(process.argv[1] ?? '.'), 'worker.js'),
    kept: ledger.totals(),
    saveTotals: () => saveTotals(),
    routerAddress,
    plan: ({ host, ssh }, mismatched) => plan({ dest: host, overrides: ssh ?? {} }, { mismatched }),
  });

  const sockets = new Set<net.Socket>();
  const saveTotals = () => {
    try {
      ledger.enter(engine.meter.totals());
    } catch (error) {
      log.warn({ err: error }, 'the traffic totals could not be saved');
    }
  };
  const totalsTimer = setInterval(saveTotals, totalsEveryMs);

  let stopMetrics = () => {};
  const { metrics } = engine.desired.config().settings;
  if (metrics !== false) {
    // Nothing but the numbers is lost without it: the engine goes on, and says so.
    await serveMetrics(metrics, {
      views: () => viewAll(engine),
      counters: (name) => engine.meter.current(name),
    }).then(
      (stop) => {
        stopMetrics = stop;
      },
      (error: unknown) => engine.note('warn', null, 'metrics', toFailure(error).message),
    );
  }

  let stopping = false;
  const stop = async (reason: 'stop' | 'restart'): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, 'stopping');
    clearInterval(totalsTimer);
    stopMetrics();
    engine.publisher.bye(reason);
    accept = (socket) => void socket.destroy();
    // The JSON-RPC library writes some turns of the loop later; watchers should hear why before the line is cut.
    await Promise.all([engine.stop(reason === 'restart'), new Promise((resolve) => setTimeout(resolve, 30))]);
    saveTotals();
    // Only now may a successor take the home: its ports are free.
    release();
    server.close();
    for (const socket of sockets) socket.destroySoon();
    log.info('stopped');
    setTimeout(() => process.exit(supervised && reason === 'restart' ? handoverExit : 0), 50);
  };
  process.on('SIGTERM', () => void stop('stop'));
  process.on('SIGINT', () => void stop('stop'));

  const handlers: Handlers = {
    ...lifecycleHandlers(engine, supervised, (reason) => void stop(reason)),
    ...forwardHandlers(engine),
    ...trafficHandlers(engine, ledger),
    ...hostHandlers(engine),
    ...reportHandlers(engine),
    ...triggerHandlers(engine),
    ...importHandlers(engine),
  };
  log.info({ home: home.dir, socket: home.socket }, 'started');
  // Masters of an engine that was killed may hold ports at the far end that are wanted now.
  const { ssh } = sshEnvironment();
  if (ssh !== null) await sweepRuntimeDirs(ssh);
  engine.start();
  // The first to ask is told what the kernel has open already.
  await atMost(kernelWaitMs, engine.mappings.settled('nftables'));
  if (!stopping) {
    accept = (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      serve(socket, engine, handlers);
    };
  }
  for (const socket of early) accept(socket);
}

main().catch((error: unknown) => {
  const { code, message, hint } = toFailure(homeFailure(error));
  const [mode, form] = process.argv.slice(2);
  const said =
    form === '--json' ? JSON.stringify({ error: { code, message, hint } }) : `sallyport: ${message}\ntry: ${hint}`;
  if (mode === 'run') process.stderr.write(`${said}\n`);
  // Another engine won the race: whoever started this one will find that one.
  else if (code !== 'engine_busy') process.stderr.write(`${JSON.stringify({ code, message, hint })}\n`);
  process.exit(1);
});
