import ssh2, { type ParsedKey } from 'ssh2';

/**
 * Shows ssh2 one key and signs with it only once the server said it would take it: so an encrypted file is asked for
 * its passphrase only if that helps, and every key is offered once.
 */
export class OneKeyAgent extends ssh2.BaseAgent<ParsedKey> {
  private readonly key: ParsedKey;
  private readonly signWith: (data: Buffer, hash: string | undefined) => Promise<Buffer>;

  constructor(key: ParsedKey, signWith: (data: Buffer, hash: string | undefined) => Promise<Buffer>) {
    super();
    this.key = key;
    this.signWith = signWith;
  }

  override getIdentities(callback: (error: Error | null, keys?: ParsedKey[]) => void): void {
    callback(null, [this.key]);
  }

  override sign(_key: ParsedKey, data: Buffer, options: unknown, callback?: unknown): void {
    const done = (typeof options === 'function' ? options : callback) as (error: Error | null, data?: Buffer) => void;
    const hash = (options as { hash?: string }).hash;
    this.signWith(data, hash).then(
      (signature) => quietly(() => done(null, signature)),
      (error: Error) => quietly(() => done(error)),
    );
  }
}

/** The answer may come after the connection died, and then ssh2 throws at being told. */
function quietly(act: () => void): void {
  try {
    act();
  } catch {}
}
