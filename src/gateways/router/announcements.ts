import { createSocket, type Socket } from 'node:dgram';
import { decodeNatPmp } from './natpmp.ts';
import { announcePort, decodePcp } from './pcp.ts';

const allHosts = '224.0.0.1';

/**
 * Hears a PCP or NAT-PMP server say that it has restarted or changed its address (RFC 6887 section 14.1.3,
 * RFC 6886 section 3.2.1). Other programs may listen on the port too. Where it cannot listen, nothing is heard, and
 * the regular look at the router has to do.
 */
export function listenToAnnouncements(
  gateway: string,
  local: string,
  heard: (epochSeconds: number) => void,
): { stop(): void } {
  let socket: Socket | null = createSocket({ type: 'udp4', reuseAddr: true });
  const stop = () => {
    socket?.close();
    socket = null;
  };
  socket.on('error', stop);
  socket.on('message', (bytes, { address }) => {
    if (address !== gateway) return;
    const pcp = decodePcp(bytes);
    if (pcp !== null && pcp.opcode === 'announce') return heard(pcp.epochSeconds);
    const natPmp = decodeNatPmp(bytes);
    if (natPmp !== null && natPmp.opcode === 'address') heard(natPmp.epochSeconds);
  });
  socket.bind({ port: announcePort, exclusive: false }, () => {
    try {
      socket?.addMembership(allHosts, local);
    } catch {
      stop();
    }
  });
  return { stop };
}
