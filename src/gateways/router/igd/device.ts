import { SallyportError } from '../../../model/errors.ts';
import { familyOf, isUnspecified } from '../address.ts';
import { callHttp } from '../http.ts';
import { type IgdService, parseDescription } from './description.ts';
import { decodeAnswer, encodeCall, type SoapAnswer, type SoapArguments } from './soap.ts';

/** An Internet Gateway Device that is reachable and connected. */
export interface IgdDevice {
  readonly version: 1 | 2;
  readonly model: string;
  /** The connection that has the external address; null where only IPv6 is served. */
  readonly wan: IgdService | null;
  readonly pinholes: IgdService | null;
}

/** Calls an action; UPnP's own errors are answers, not exceptions. Throws as `callHttp` does. */
export async function callAction(
  service: IgdService,
  action: string,
  args: SoapArguments,
  signal: AbortSignal,
): Promise<SoapAnswer> {
  const { headers, body } = encodeCall(service.type, action, args);
  const answer = await callHttp({ url: service.control, method: 'POST', headers, body, signal });
  return decodeAnswer(action, answer.status, answer.body);
}

/**
 * Fetches a device's description and finds the connection in use: routers list idle ones too.
 * @returns null when it is no gateway
 * @throws as `callHttp`
 */
export async function readDevice(location: string, signal: AbortSignal): Promise<IgdDevice | null> {
  const { status, body } = await callHttp({ url: location, method: 'GET', signal });
  const description = status === 200 ? parseDescription(body, location) : null;
  if (description === null) return null;
  const { version, model, pinholes } = description;
  let wan: IgdService | null = null;
  for (const service of description.wan.slice(0, 6)) {
    const address = await externalAddress(service, signal);
    if (address !== null) return { version, model, pinholes, wan: service };
    wan ??= service;
  }
  return { version, model, pinholes, wan };
}

/** The address the internet sees; null when the router has none now, or does not say. */
export async function externalAddress(service: IgdService, signal: AbortSignal): Promise<string | null> {
  try {
    const answer = await callAction(service, 'GetExternalIPAddress', {}, signal);
    const address = answer.ok ? (answer.values.get('NewExternalIPAddress') ?? '') : '';
    return familyOf(address) === null || isUnspecified(address) ? null : address;
  } catch (error) {
    if (error instanceof SallyportError && error.code === 'gateway_failed') return null;
    throw error;
  }
}
