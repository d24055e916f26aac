// Holes in the router's IPv6 firewall (WANIPv6FirewallControl:1).
import { SallyportError } from '../../../model/errors.ts';
import { refused } from '../pcp-client.ts';
import { type Grant, NotSpoken, type Pulse, type RouterProtocol } from '../protocol.ts';
import { plain } from './description.ts';
import { callAction, type IgdDevice } from './device.ts';
import { upnpErrors } from './soap.ts';

const protocolNumbers = { tcp: 6, udp: 17 } as const;
const maxLeaseSeconds = 86_400;

/** Pinholes of one device; null when it has no control over them. */
export function createIgdPinholes(device: IgdDevice): RouterProtocol | null {
  const { pinholes: service } = device;
  const name = device.version === 2 ? 'igd2' : 'igd1';
  if (service === null) return null;

  return {
    name,

    async make(request, lifetimeSeconds, signal): Promise<Grant> {
      const lease = Math.min(lifetimeSeconds, maxLeaseSeconds);
      const granted = {
        external: request.internal.port,
        externalAddress: request.internal.address,
        lifetimeSeconds: lease,
        epochSeconds: null,
      };
      if (request.handle !== null) {
        const renewed = await callAction(
          service,
          'UpdatePinhole',
          { UniqueID: request.handle, NewLeaseTime: lease },
          signal,
        );
        if (renewed.ok) return { ...granted, handle: request.handle };
      }
      const answer = await callAction(
        service,
        'AddPinhole',
        {
          RemoteHost: '',
          RemotePort: 0,
          InternalClient: request.internal.address,
          InternalPort: request.internal.port,
          Protocol: protocolNumbers[request.proto],
          LeaseTime: lease,
        },
        signal,
      );
      const handle = answer.ok ? answer.values.get('UniqueID') : undefined;
      if (handle !== undefined && /^\d{1,5}$/.test(handle)) return { ...granted, handle };
      const port = `${request.proto} port ${request.internal.port}`;
      if (answer.ok)
        throw new SallyportError('gateway_failed', `the router gives no number for the pinhole of ${port}`);
      const why = `${plain(answer.description)} (${answer.code})`;
      switch (answer.code) {
        case upnpErrors.invalidAction:
          throw new NotSpoken(name, why);
        case upnpErrors.notAuthorized:
        case upnpErrors.firewallDisabled:
        case upnpErrors.inboundPinholeNotAllowed:
        case upnpErrors.invalidArguments:
          throw refused(port, why);
        default:
          throw new SallyportError('gateway_failed', `the router cannot open ${port} now: ${why}`);
      }
    },

    async remove(request, signal): Promise<void> {
      if (request.handle === null) return;
      const answer = await callAction(service, 'DeletePinhole', { UniqueID: request.handle }, signal);
      if (answer.ok || answer.code === upnpErrors.noSuchPinhole) return;
      throw new SallyportError(
        'gateway_failed',
        `the router does not close a pinhole: ${plain(answer.description)} (${answer.code})`,
      );
    },

    async pulse(signal): Promise<Pulse> {
      await callAction(service, 'GetFirewallStatus', {}, signal);
      return { epochSeconds: null, externalAddress: null };
    },

    async holds(request, signal): Promise<boolean> {
      if (request.handle === null) return false;
      const answer = await callAction(service, 'GetPinholePackets', { UniqueID: request.handle }, signal);
      return answer.ok || answer.code !== upnpErrors.noSuchPinhole;
    },
  };
}
