// Calls of UPnP actions (UPnP Device Architecture 1.1 section 3.2). Text only.
import { childText, escapeXml, findAll, parseXml } from '../xml.ts';

export type SoapArguments = Readonly<Record<string, string | number>>;

export interface SoapRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type SoapAnswer =
  | { readonly ok: true; readonly values: ReadonlyMap<string, string> }
  /** `code` is the UPnP error, or the HTTP status where there is none. */
  | { readonly ok: false; readonly code: number; readonly description: string };

/** Error codes of WANIPConnection and WANIPv6FirewallControl that mean something to us. */
export const upnpErrors = {
  invalidAction: 401,
  invalidArguments: 402,
  actionFailed: 501,
  notAuthorized: 606,
  pinholeSpaceExhausted: 701,
  firewallDisabled: 702,
  inboundPinholeNotAllowed: 703,
  noSuchPinhole: 704,
  indexInvalid: 713,
  noSuchEntry: 714,
  conflict: 718,
  samePortValuesRequired: 724,
  onlyPermanentLeases: 725,
  noPortMapsAvailable: 728,
  conflictWithOtherMechanisms: 729,
} as const;

/** Arguments go in the order given, as many routers insist. */
export function encodeCall(serviceType: string, action: string, args: SoapArguments = {}): SoapRequest {
  const fields = Object.entries(args)
    .map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`)
    .join('');
  return {
    headers: { 'content-type': 'text/xml; charset="utf-8"', soapaction: `"${serviceType}#${action}"` },
    body:
      '<?xml version="1.0"?>\r\n' +
      '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"' +
      ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">' +
      `<s:Body><u:${action} xmlns:u="${escapeXml(serviceType)}">${fields}</u:${action}></s:Body></s:Envelope>\r\n`,
  };
}

/** Reads the answer to a call of `action`; one that cannot be read counts as failed. */
export function decodeAnswer(action: string, status: number, xml: string): SoapAnswer {
  const root = parseXml(xml);
  const unreadable = { ok: false, code: status === 200 ? upnpErrors.actionFailed : status } as const;
  if (root === null) return { ...unreadable, description: 'an answer that cannot be read' };
  const [error] = findAll(root, 'UPnPError');
  if (error !== undefined) {
    const code = Number(childText(error, 'errorCode'));
    return {
      ok: false,
      code: Number.isInteger(code) && code > 0 && code < 1000 ? code : unreadable.code,
      description: (childText(error, 'errorDescription') ?? '').replace(/[^\x20-\x7e]/g, ' ').slice(0, 80),
    };
  }
  const [response] = findAll(root, `${action}Response`);
  if (status !== 200 || response === undefined) return { ...unreadable, description: 'no answer to the call' };
  return { ok: true, values: new Map(response.children.map((child) => [child.name, child.text])) };
}
