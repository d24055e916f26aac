import { SallyportError } from '../../model/errors.ts';
import { isUnspecified } from './address.ts';
import { exchange, natPmpWaitsMs } from './exchange.ts';
import { decodeNatPmp, encodeAddressRequest, encodeNatPmpMap, type NatPmpResponse } from './natpmp.ts';
import { refused } from './pcp-client.ts';
import { type Grant, NotSpoken, type PortRequest, type Pulse, type RouterProtocol } from './protocol.ts';

/** NAT-PMP at one server. It has no nonces: a mapping is known by this machine's address and port alone. */
export function createNatPmp(server: string): RouterProtocol {
  const check = (answer: NatPmpResponse, what: string): NatPmpResponse => {
    switch (answer.result) {
      case 'SUCCESS':
        return answer;
      case 'UNSUPP_VERSION':
      case 'UNSUPP_OPCODE':
        throw new NotSpoken('nat-pmp', answer.result);
      case 'NOT_AUTHORIZED':
        throw refused(what, answer.result);
      default:
        throw new SallyportError('gateway_failed', `the router cannot map ${what} now: ${answer.result}`);
    }
  };

  async function map(request: PortRequest, external: number, lifetimeSeconds: number, signal: AbortSignal) {
    const { answer } = await exchange({
      server,
      from: request.internal.address,
      request: () =>
        encodeNatPmpMap({
          proto: request.proto,
          internalPort: request.internal.port,
          externalPort: external,
          lifetimeSeconds,
        }),
      answer: (bytes) => {
        const got = decodeNatPmp(bytes);
        if (got?.opcode !== request.proto) return null;
        return got.map === null || got.map.internalPort === request.internal.port ? got : null;
      },
      waitsMs: natPmpWaitsMs,
      signal,
    });
    return check(answer, `${request.proto} port ${request.external}`);
  }

  async function pulse(signal: AbortSignal): Promise<Pulse> {
    const { answer } = await exchange({
      server,
      request: encodeAddressRequest,
      answer: (bytes) => {
        const got = decodeNatPmp(bytes);
        return got?.opcode === 'address' ? got : null;
      },
      waitsMs: natPmpWaitsMs.slice(0, 3),
      signal,
    });
    if (answer.result === 'UNSUPP_VERSION' || answer.result === 'UNSUPP_OPCODE') check(answer, 'the address');
    const known = answer.externalAddress !== null && !isUnspecified(answer.externalAddress);
    return { epochSeconds: answer.epochSeconds, externalAddress: known ? answer.externalAddress : null };
  }

  return {
    name: 'nat-pmp',
    pulse,

    async make(request, lifetimeSeconds, signal): Promise<Grant> {
      const { map: granted, epochSeconds } = await map(request, request.external, lifetimeSeconds, signal);
      if (granted === null) throw new NotSpoken('nat-pmp', 'an empty answer');
      // The mapping is there whether or not its address can be told just now.
      const { externalAddress } = await pulse(signal).catch((error: unknown) => {
        if (error instanceof SallyportError) return { externalAddress: null };
        throw error;
      });
      return {
        external: granted.externalPort,
        externalAddress,
        lifetimeSeconds: Math.max(1, granted.lifetimeSeconds),
        epochSeconds,
        handle: null,
      };
    },

    async remove(request, signal): Promise<void> {
      await map(request, 0, 0, signal);
    },
  };
}
