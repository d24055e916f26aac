import { SallyportError } from '../../model/errors.ts';
import { isUnspecified } from './address.ts';
import { exchange, natPmpWaitsMs, pcpWaitsMs } from './exchange.ts';
import { decodeNatPmp } from './natpmp.ts';
import { answersMap, decodePcp, encodeAnnounce, encodeMap, type PcpMap, type PcpResponse } from './pcp.ts';
import { type Grant, NotSpoken, type PortRequest, type Pulse, type RouterProtocol } from './protocol.ts';

/** What a NAT-PMP server says to version 2 (RFC 6887 section 9). */
const oldServer = Symbol('version 0 only');

/** PCP at one server; for IPv6 a mapping is a pinhole. */
export function createPcp(server: string): RouterProtocol {
  const read = (fits: (response: PcpResponse) => boolean) => (bytes: Uint8Array) => {
    if (decodeNatPmp(bytes)?.result === 'UNSUPP_VERSION') return oldServer;
    const response = decodePcp(bytes);
    return response !== null && fits(response) ? response : null;
  };
  const spoken = (answer: PcpResponse | typeof oldServer): PcpResponse => {
    if (answer === oldServer || answer.result === 'UNSUPP_VERSION') throw new NotSpoken('pcp', 'another version');
    if (answer.result === 'UNSUPP_OPCODE') throw new NotSpoken('pcp', 'no mappings');
    return answer;
  };

  async function map(
    request: PortRequest,
    wish: Pick<PcpMap, 'lifetimeSeconds' | 'externalPort' | 'preferFailure'>,
    waitsMs: readonly number[],
    signal: AbortSignal,
  ): Promise<PcpResponse> {
    let asked: PcpMap | null = null;
    const { answer } = await exchange({
      server,
      from: request.internal.address,
      request: (client) => {
        asked = { nonce: request.nonce, proto: request.proto, internalPort: request.internal.port, client, ...wish };
        return encodeMap(asked);
      },
      answer: read((response) => asked !== null && answersMap(response, asked)),
      waitsMs,
      signal,
    });
    return spoken(answer);
  }

  return {
    name: 'pcp',

    async make(request, lifetimeSeconds, signal): Promise<Grant> {
      const wish = { lifetimeSeconds, externalPort: request.external, preferFailure: true };
      let response = await map(request, wish, pcpWaitsMs(), signal);
      if (response.result === 'UNSUPP_OPTION') {
        // Then the granted port alone tells, which the caller compares anyway.
        response = await map(request, { ...wish, preferFailure: false }, pcpWaitsMs(), signal);
      }
      if (response.result !== 'SUCCESS' || response.map === null) throw failureOf(response, request);
      const { externalPort, externalAddress } = response.map;
      return {
        external: externalPort,
        externalAddress: isUnspecified(externalAddress) ? null : externalAddress,
        // Success for no time is no mapping; a second makes the caller come back at once.
        lifetimeSeconds: Math.max(1, response.lifetimeSeconds),
        epochSeconds: response.epochSeconds,
        handle: null,
      };
    },

    async remove(request, signal): Promise<void> {
      const wish = { lifetimeSeconds: 0, externalPort: 0, preferFailure: false };
      const { result } = await map(request, wish, natPmpWaitsMs, signal);
      // Not authorised means the mapping there has another nonce: somebody else's.
      if (result === 'SUCCESS' || result === 'NOT_AUTHORIZED') return;
      throw new SallyportError('gateway_failed', `router ${server} does not delete a mapping: ${result}`);
    },

    async pulse(signal): Promise<Pulse> {
      const { answer } = await exchange({
        server,
        request: encodeAnnounce,
        answer: read((response) => response.opcode === 'announce'),
        waitsMs: natPmpWaitsMs.slice(0, 3),
        signal,
      });
      return { epochSeconds: spoken(answer).epochSeconds, externalAddress: null };
    },
  };
}

function failureOf({ result }: PcpResponse, { proto, external }: PortRequest): SallyportError {
  const port = `${proto} port ${external}`;
  switch (result) {
    case 'CANNOT_PROVIDE_EXTERNAL':
      return portTaken(proto, external);
    case 'NOT_AUTHORIZED':
    case 'UNSUPP_PROTOCOL':
    case 'MALFORMED_REQUEST':
    case 'MALFORMED_OPTION':
    case 'UNSUPP_OPTION':
      return refused(port, result);
    case 'ADDRESS_MISMATCH':
      return new SallyportError(
        'gateway_refused',
        `the router does not map ${port}: another NAT stands between it and this machine`,
        'map the port on the router in between',
      );
    default:
      return new SallyportError('gateway_failed', `the router cannot map ${port} now: ${result}`);
  }
}

export function refused(port: string, why: string): SallyportError {
  return new SallyportError(
    'gateway_refused',
    `the router refuses to map ${port}: ${why}`,
    "allow this machine and port in the router's PCP or UPnP settings, or take a port above 1023",
  );
}

export function portTaken(proto: string, external: number, holder = 'somebody else'): SallyportError {
  return new SallyportError(
    'gateway_port_taken',
    `${holder} holds ${proto} port ${external} of the router`,
    'see who with: sallyport router; or take another external port',
  );
}
