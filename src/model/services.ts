// Ports by the names services(5) gives them, which ssh takes wherever it takes a port.
import { readFileSync } from 'node:fs';
import { parsePort } from './ports.ts';

/** TCP ports by service name and alias, as /etc/services lists them: `http 80/tcp www # WorldWideWeb HTTP`. */
export function parseServices(text: string): ReadonlyMap<string, number> {
  const ports = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name = '', where = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const [, port] = /^(\d{1,5})\/tcp$/.exec(where) ?? [];
    if (port === undefined) continue;
    for (const one of [name, ...aliases]) if (!ports.has(one)) ports.set(one, Number(port));
  }
  return ports;
}

let known: ReadonlyMap<string, number> | null = null;

/** A machine without the file knows no names. */
function services(): ReadonlyMap<string, number> {
  try {
    known ??= parseServices(readFileSync('/etc/services', 'utf8'));
  } catch {
    known = new Map();
  }
  return known;
}

/**
 * Parses a decimal port, or the name of a TCP service of this machine.
 * @param options as for `parsePort`
 * @throws SallyportError `bad_value`
 */
export function parseServicePort(text: string, options?: { zero: boolean }): number {
  const port = /^\d/.test(text) ? undefined : services().get(text);
  return port ?? parsePort(text, options);
}
