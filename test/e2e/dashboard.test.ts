// The real program in a real terminal: its own engine, an OpenSSH server, traffic.
import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { root } from '../support/global-setup.ts';
import { makeHome, type TestHome } from '../support/home.ts';
import { freePort } from '../support/ports.ts';
import { Sshd } from '../support/sshd.ts';
import { openTerminal, type Terminal } from '../support/terminal.ts';
import { missing } from '../support/tools.ts';
import { until } from '../support/until.ts';

const program = path.join(root, 'bin', 'sallyport');

describe.skipIf(missing('sshd', 'ssh'))('the dashboard', () => {
  let sshd: Sshd;
  let home: TestHome;
  let server: http.Server;
  let open: Terminal[] = [];
  let port = 0;

  beforeAll(async () => {
    sshd = await Sshd.start();
    // The key has a passphrase: somebody has to be asked.
    execFileSync('ssh-keygen', ['-q', '-p', '-N', 'open sesame', '-f', sshd.key]);
    home = makeHome();
    server = http.createServer((request, response) => {
      response.setHeader('connection', 'close');
      if (request.url === '/slow') response.write('x'.repeat(1000));
      else response.end('y'.repeat(200_000));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    appendFileSync(sshd.clientConfig, '\nHost *\n  IdentityAgent none\n');
    port = await freePort();
  });
  afterEach(() => {
    for (const terminal of open) terminal.close();
    open = [];
  });
  afterAll(async () => {
    await home.remove();
    server.closeAllConnections();
    server.close();
    await sshd.stop();
  });

  const start = () => {
    const env = Object.fromEntries(
      Object.entries(home.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
    );
    const terminal = openTerminal(program, [], { columns: 120, rows: 40, env });
    open.push(terminal);
    return terminal;
  };
  const target = () => (server.address() as AddressInfo).port;
  const fetched = () => fetch(`http://127.0.0.1:${port}/`).then((response) => response.text());

  test('defines a tunnel, passes its passphrase prompt, carries bytes, ends a flow, deletes and undoes', async () => {
    const terminal = start();
    await terminal.see('nothing is forwarded yet', 20_000);
    terminal.paste(`ssh -F ${sshd.clientConfig} -N -L ${port}:127.0.0.1:${target()} box`);
    await terminal.see('new local tunnel');
    await terminal.see(`leads to 127.0.0.1:${target()}`);
    terminal.press('enter');
    await terminal.see('kept in memory', 20_000);
    terminal.press('open sesame', 'enter');
    await terminal.see('1 up', 20_000);
    expect(await fetched()).toHaveLength(200_000);
    const slow = net.connect(port, '127.0.0.1').on('error', () => {});
    slow.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
    terminal.press('enter');
    await terminal.see(/▌ 127\.0\.0\.1:\d+/, 20_000);
    terminal.press('x');
    await terminal.see('end this flow?');
    terminal.press('y');
    await until('the flow to be gone', () => slow.destroyed);
    await terminal.see('no flow at the moment', 20_000);
    terminal.press('esc');
    await terminal.see('traffic');
    terminal.press('d');
    await terminal.see(/delete .*\?/);
    terminal.press('y');
    await terminal.see('nothing is forwarded yet');
    terminal.press('u');
    await terminal.see('1 up', 20_000);
    terminal.press('q');
    expect((await terminal.exit()).exitCode).toBe(0);
    expect(await fetched()).toHaveLength(200_000);
  });

  test('outlives its engine, and the forwards outlive the dashboard', async () => {
    const terminal = start();
    await terminal.see('1 up', 20_000);
    process.kill(await home.enginePid(), 'SIGKILL');
    await terminal.see(/engine gone|connecting/);
    // A new engine knows no passphrase any more: it asks again, and the dashboard is there to be asked.
    await terminal.see('kept in memory', 30_000);
    terminal.press('open sesame', 'enter');
    await terminal.see('1 up', 20_000);
    terminal.press('space');
    await terminal.see('off');
    terminal.press('space');
    await terminal.see('1 up', 20_000);
    terminal.signal('SIGTERM');
    expect((await terminal.exit()).exitCode).toBe(143);
    await terminal.text();
    expect(terminal.screen.buffer.active.type).toBe('normal');
    expect(await fetched()).toHaveLength(200_000);
  });

  test('two dashboards agree', async () => {
    const [left, right] = [start(), start()];
    await left.see('1 up', 20_000);
    await right.see('1 up', 20_000);
    left.press('space');
    await right.see(/ off/);
    right.press('space');
    await left.see('1 up', 20_000);
  });
});
