import { addressReach } from './cidr.ts';
import { SallyportError } from './errors.ts';
import { parsePort } from './ports.ts';

/** `127.0.0.1:9464`, `[::1]:9464`, or a port of 127.0.0.1. @throws SallyportError `bad_value` */
export function parseMetricsAddress(text: string): { host: string; port: number } {
  const [, host = '', port] = /^(?:\[?([^\]]*?)\]?:)?(\d+)$/.exec(text) ?? [];
  if (port === undefined) {
    throw new SallyportError('bad_value', `"${text}" is not an address and a port`, 'write it like 127.0.0.1:9464');
  }
  const at = { host: host === '' ? '127.0.0.1' : host, port: parsePort(port) };
  if (addressReach(at.host) !== 'host') {
    throw new SallyportError(
      'bad_value',
      `metrics cannot be served on ${at.host}`,
      'they stay on loopback: use 127.0.0.1:PORT',
    );
  }
  return at;
}
