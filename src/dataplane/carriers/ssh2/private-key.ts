import { createPrivateKey } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';

/** PKCS #8 (RFC 5958), which ssh2 cannot read, as the older form of the same key. */
function fromPkcs8(text: string, passphrase: string | undefined): string {
  const key = createPrivateKey({ key: text, format: 'pem', ...(passphrase === undefined ? {} : { passphrase }) });
  const type = key.asymmetricKeyType === 'ec' ? 'sec1' : 'pkcs1';
  return key.export({ format: 'pem', type }).toString();
}

/**
 * Decrypts and parses a private key.
 * @returns null where the passphrase is wrong or missing, else the key, or an error for a file that is no usable key
 */
export function openPrivateKey(text: string, passphrase?: string): ParsedKey | Error | null {
  let source = text;
  let opened = passphrase;
  if (/-----BEGIN (?:ENCRYPTED )?PRIVATE KEY-----/.test(text)) {
    try {
      source = fromPkcs8(text, passphrase);
      opened = undefined;
    } catch (error) {
      return text.includes('ENCRYPTED') ? null : (error as Error);
    }
  }
  const parsed = ssh2.utils.parseKey(source, opened);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key instanceof Error) {
    return /passphrase|decrypt|integrity|bad key|malformed/i.test(key.message) && passphrase !== undefined
      ? null
      : /encrypted|passphrase/i.test(key.message)
        ? null
        : key;
  }
  if (key === undefined || !key.isPrivateKey()) return new Error('no private key in it');
  return key;
}
