import { createSocket } from 'node:dgram';
import { decodeSearchAnswer, encodeSearch, type SsdpAnswer, searchTargets, ssdpGroup, ssdpPort } from './ssdp.ts';

/** Devices whose description is fetched; more in one LAN is somebody shouting. */
const maxDevices = 8;

/**
 * Searches for Internet Gateway Devices: by multicast, and at the router itself, for switches that lose multicast.
 * @param from address of this machine on the LAN
 * @param waitMs how long to listen; ends earlier, a moment after the router itself has answered
 * @returns answers, one a description, the router's first; empty too when the network is down
 */
export async function searchDevices(
  router: string,
  from: string,
  signal: AbortSignal,
  waitMs = 2500,
): Promise<readonly SsdpAnswer[]> {
  const found = new Map<string, SsdpAnswer & { readonly sender: string }>();
  const socket = createSocket('udp4');
  const timers: NodeJS.Timeout[] = [];
  let done = () => {};
  signal.throwIfAborted();
  try {
    await new Promise<void>((resolve) => {
      done = resolve;
      signal.addEventListener('abort', done, { once: true });
      socket.on('error', done);
      socket.on('message', (bytes, { address }) => {
        const answer = decodeSearchAnswer(bytes, address);
        if (answer === null || found.has(answer.location) || found.size >= maxDevices) return;
        found.set(answer.location, { ...answer, sender: address });
        if (address === router) timers.push(setTimeout(done, 150));
      });
      socket.bind({ address: from, port: 0 }, () => {
        try {
          socket.setMulticastTTL(2);
          socket.setMulticastInterface(from);
        } catch {
          // an interface without multicast: the router itself is still asked
        }
        const ask = () => {
          for (const target of searchTargets) {
            const search = encodeSearch(target);
            for (const to of [ssdpGroup, router]) socket.send(search, ssdpPort, to, () => {});
          }
        };
        ask();
        timers.push(setTimeout(ask, waitMs / 3), setTimeout(done, waitMs));
      });
    });
  } finally {
    timers.forEach(clearTimeout);
    signal.removeEventListener('abort', done);
    socket.close();
  }
  signal.throwIfAborted();
  return [...found.values()].sort((a, b) => Number(b.sender === router) - Number(a.sender === router));
}
