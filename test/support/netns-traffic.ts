// Real traffic between the hosts of a topology: an echo server here, a client there.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { NetHost, Topology } from './netns.ts';

const echo = {
  tcp: `const [port, tag] = process.argv.slice(1);
    require('net').createServer({ allowHalfOpen: true }, (s) => { s.on('error', () => {}); s.write(tag + ' '); s.pipe(s); })
      .listen({ port: +port, host: '::' }, () => console.log('ready'));`,
  udp: `const [port, tag] = process.argv.slice(1);
    const s = require('dgram').createSocket('udp6');
    s.on('message', (m, from) => s.send(tag + ' ' + m, from.port, from.address));
    s.bind(+port, () => console.log('ready'));`,
} as const;

// Ends by itself after 1.5 s without an answer: a filtered port gives silence, not an error.
const client = {
  tcp: `const [host, port, text] = process.argv.slice(1); let got = '';
    const s = require('net').connect(+port, host, () => s.end(text));
    s.setTimeout(1500, () => process.exit(3)); s.on('error', () => process.exit(2));
    s.on('data', (d) => { got += d; }); s.on('end', () => { process.stdout.write(got); });`,
  udp: `const [host, port, text] = process.argv.slice(1);
    const s = require('dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4'); s.on('error', () => process.exit(2));
    s.on('message', (m) => { process.stdout.write(String(m)); s.close(); clearTimeout(t); clearInterval(i); });
    const send = () => s.send(text, +port, host); const i = setInterval(send, 300); send();
    const t = setTimeout(() => process.exit(3), 1500);`,
} as const;

/** Echoes on a port of a host, every address, with `TAG ` in front; resolves once it listens. */
export async function echoServer(
  net: Topology,
  host: NetHost,
  proto: 'tcp' | 'udp',
  port: number,
  tag = host as string,
): Promise<ChildProcess> {
  const child = net.spawn(host, [process.execPath, '-e', echo[proto], String(port), tag]);
  if (child.stdout === null) throw new Error('no output');
  await once(child.stdout, 'data');
  return child;
}

/** What comes back for `text`, with the server's tag in front; null when nothing does. */
export async function ask(
  net: Topology,
  from: NetHost,
  proto: 'tcp' | 'udp',
  address: string,
  port: number,
  text = 'hello',
): Promise<string | null> {
  const child = net.spawn(from, [process.execPath, '-e', client[proto], address, String(port), text]);
  let got = '';
  child.stdout?.on('data', (chunk) => {
    got += chunk;
  });
  const [code] = await once(child, 'close');
  return code === 0 && got !== '' ? got : null;
}

const taker = `const [port, back] = process.argv.slice(1).map(Number);
  require('net').createServer({ allowHalfOpen: true }, (s) => { s.on('error', () => {}); s.resume(); s.on('end', () => s.end(Buffer.alloc(back))); })
    .listen({ port, host: '::' }, () => console.log('ready'));`;
const giver = `const [host, port, size] = process.argv.slice(1);
  let got = 0; const s = require('net').connect({ host, port: +port, allowHalfOpen: true }, () => s.end(Buffer.alloc(+size)));
  s.on('error', (e) => { console.error(e.message); process.exit(1); });
  s.on('data', (d) => { got += d.length; }); s.on('end', () => { console.log(got); });`;

/** Takes whatever a connection sends, then answers with so many bytes. */
export async function bulkServer(net: Topology, host: NetHost, port: number, back: number): Promise<ChildProcess> {
  const child = net.spawn(host, [process.execPath, '-e', taker, String(port), String(back)]);
  if (child.stdout === null) throw new Error('no output');
  await once(child.stdout, 'data');
  return child;
}

/** Sends so many bytes, and says how many came back. */
export function sendBulk(net: Topology, from: NetHost, address: string, port: number, size: number): number {
  return Number(net.must(from, [process.execPath, '-e', giver, address, String(port), String(size)]));
}

// As much of RFC 959 as one passive transfer takes; it names its own, inside address, as real servers do.
const ftp = `const net = require('net'); const [port, text] = process.argv.slice(1);
  net.createServer((c) => {
    let data; c.on('error', () => {}); c.write('220 ready\\r\\n');
    c.on('data', (d) => { for (const line of String(d).split('\\r\\n')) {
      if (/^PASV/.test(line)) {
        data = net.createServer((s) => { s.on('error', () => {}); s.end(text); data.close(); }).listen(0, () => {
          const p = data.address().port;
          c.write('227 Entering Passive Mode (' + c.localAddress.replace('::ffff:', '').replaceAll('.', ',') + ',' + (p >> 8) + ',' + (p & 255) + ')\\r\\n');
        });
      } else if (/^RETR/.test(line)) { c.write('150 here\\r\\n'); data.once('close', () => c.write('226 done\\r\\n')); }
      else if (/^QUIT/.test(line)) c.end('221 bye\\r\\n');
      else if (/^USER/.test(line)) c.write('230 in\\r\\n');
      else if (/^EPSV|^SIZE/.test(line)) c.write('502 no\\r\\n');
      else if (/^PWD/.test(line)) c.write('257 "/"\\r\\n');
      else if (line !== '') c.write('200 ok\\r\\n');
    } });
  }).listen({ port: +port, host: '::' }, () => console.log('ready'));`;

/** An FTP server whose every file holds `text`, sent over a second connection it opens a port for. */
export async function ftpServer(net: Topology, host: NetHost, port: number, text: string): Promise<ChildProcess> {
  const child = net.spawn(host, [process.execPath, '-e', ftp, String(port), text]);
  if (child.stdout === null) throw new Error('no output');
  await once(child.stdout, 'data');
  return child;
}
