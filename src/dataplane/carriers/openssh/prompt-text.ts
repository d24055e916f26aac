// What ssh(1) asks through an askpass program, as a question to a person.
import type { Prompt } from '../../../model/host.ts';

export interface Asked extends Pick<Prompt, 'kind' | 'title' | 'instructions' | 'fields'> {
  readonly fingerprint?: string;
  readonly keyType?: string;
}

/**
 * @param text as ssh gives it to the program
 * @param before the host key asked about last, which ssh repeats without its fingerprint
 */
export function readPrompt(text: string, before: Asked | null = null): Asked {
  const line = text.trim().replace(/[ :]+$/, '');
  const hostKey =
    /^The authenticity of (?:host )?'?(.*?)'? can't be established[\s\S]*?(\S+) key fingerprint is (\S+?)\.?(?:\n|$)/.exec(
      text,
    );
  if (hostKey !== null) {
    const [, host = '', keyType = '', fingerprint = ''] = hostKey;
    const notes = text.split('\n').slice(2, -1).join(' ');
    return {
      kind: 'host_key',
      title: `unknown host key of ${host}`,
      instructions: notes,
      fields: [],
      fingerprint,
      keyType,
    };
  }
  if (/^Please type 'yes', 'no' or the fingerprint/.test(text) && before !== null) return before;
  const secret = (kind: 'passphrase' | 'password', title: string, label: string): Asked => ({
    kind,
    title,
    instructions: '',
    fields: [{ label, echo: false }],
  });
  const passphrase = /^Enter passphrase for (?:key )?(.*?)$/.exec(line);
  if (passphrase !== null)
    return secret('passphrase', `passphrase for ${passphrase[1]?.replace(/^'|'$/g, '')}`, 'passphrase');
  if (/^Enter PIN for /.test(line)) return secret('passphrase', line.replace(/^Enter /, ''), 'PIN');
  const password = /^(\S+)'s (?:old |new )?password$/i.exec(line);
  if (password !== null) return secret('password', `password of ${password[1]}`, 'password');
  const [, who, question = line] = /^\((\S+@\S+)\) ([\s\S]*)$/.exec(line) ?? [];
  const title = who === undefined ? question : `${question} (${who})`;
  if (/^password$/i.test(question)) return secret('password', `password of ${who ?? 'the user'}`, 'password');
  return {
    kind: 'question',
    title,
    instructions: '',
    fields: [{ label: question, echo: /\((?:yes\/no|y\/n)\)/i.test(question) }],
  };
}
