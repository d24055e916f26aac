import { cutText, textWidth } from './line.ts';

/** A listening place as short as it can be said: no protocol, `*` for every address; narrow, no loopback address. */
export function shortListen(listen: string, narrow = false): string {
  return listen
    .replace(/^(tcp|udp|both)\//, '')
    .replace(/^0\.0\.0\.0:/, '*:')
    .replace(/^\[::\]:/, '*:')
    .replace(narrow ? /^127\.0\.0\.1:/ : /$^/, ':');
}

/** `intra.exam…:80`: where an endpoint must be cut, its port stays. */
export function cutEndpoint(endpoint: string, width: number, ellipsis = '…'): string {
  const port = /:[\d-]+$/.exec(endpoint)?.[0] ?? '';
  if (textWidth(endpoint) <= width || port === '' || port.length + 4 > width) return endpoint;
  return cutText(endpoint.slice(0, -port.length), width - port.length, ellipsis) + port;
}

/** A listening place as a client takes it; one on every address is reached by the name of the machine it is on. */
export function clientAddress(listen: string, machine: string): string {
  return listen.replace(/^(tcp|udp|both)\//, '').replace(/^(0\.0\.0\.0|\[::\]|\*):/, `${machine}:`);
}
