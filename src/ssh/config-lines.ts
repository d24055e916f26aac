// One line of ssh_config(5) as the ssh-config library reads it, refused where its reading would differ from ssh's.
import SSHConfig from 'ssh-config';
import { SallyportError } from '../model/errors.ts';

export interface ConfigLine {
  /** Lower case. */
  readonly keyword: string;
  /** As written. */
  readonly name: string;
  readonly words: readonly string[];
  /** The rest of the line as it stands, for options that are commands. */
  readonly text: string;
  /** `file line N`. */
  readonly where: string;
  /** Why this line's value cannot be trusted, or null. */
  readonly doubt: string | null;
}

/** An option that needs a real ssh to be understood. */
export const cannotExpress = (name: string, where: string, why: string) =>
  new SallyportError(
    'host_config',
    `${where}: ${name}: ${why}`,
    'install the OpenSSH client, which then resolves the host',
  );

/** Reads one line; null for blank lines and comments. */
export function readConfigLine(raw: string, where: string): ConfigLine | null {
  const line = raw.trim();
  if (line === '' || line.startsWith('#')) return null;
  const [, name = '', text = ''] = /^([^\s=]+)\s*=?\s*(.*)$/.exec(line) ?? [];
  let words: string[] = [];
  let doubt = doubtful(text);
  if (doubt === null) {
    try {
      const [node] = SSHConfig.parse(line);
      const value = node !== undefined && 'value' in node ? node.value : '';
      words = (Array.isArray(value) ? value.map(({ val }) => val) : splitWords(value, text)).filter(
        (word) => word !== '',
      );
    } catch {
      doubt = 'cannot be read';
    }
    if (doubt === null && words.length === 0) throw cannotExpress(name, where, 'has no value');
  }
  return { keyword: name.toLowerCase(), name, words, text, where, doubt };
}

/** The library gives single-value options as one text: quoted it is one word, else ssh sees several. */
function splitWords(value: string, text: string): string[] {
  return text.startsWith('"') ? [value] : value.split(/[ \t]+/);
}

/** Quoting the library reads otherwise than ssh does. */
function doubtful(text: string): string | null {
  if (/[\\']/.test(text)) return 'escapes and single quotes need ssh itself';
  if (/[^\s]#/.test(text)) return 'a # inside a word needs ssh itself';
  if ((text.match(/"/g)?.length ?? 0) % 2 === 1) return 'a quote is left open';
  if (
    /[^\s=]"[^"]*"|"[^"]*"[^\s#]/.test(text.replace(/"[^"]*"(?=\s|$)/g, (quoted) => (quoted.length > 2 ? 'Q' : quoted)))
  )
    return 'quotes inside a word need ssh itself';
  return null;
}
