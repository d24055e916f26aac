/**
 * A host's options as `ssh -G` prints them: lower-case names, values as text; the options that may repeat
 * (`identityfile`, `certificatefile`, the three forwards, …) are arrays.
 */
export type ResolvedOptions = Readonly<Record<string, string | readonly string[]>>;

export type SshCarrier = 'ssh2' | 'openssh';

/**
 * One SSH connection to be kept: the destination, how OpenSSH would reach it, and what carries it.
 * Forwards with the same destination and the same overrides share one link.
 */
export interface LinkSpec {
  /** Stable identity: a digest of everything that makes the connection what it is. */
  readonly id: string;
  /** The destination as the user wrote it. */
  readonly dest: string;
  readonly options: ResolvedOptions;
  readonly carrier: SshCarrier;
  /** Why this carrier, one clause. */
  readonly why: string;
  /** The jump host's link this one runs over, innermost last; null for a direct connection. */
  readonly via: string | null;
  /** The ssh(1) arguments (without the destination) that give the same options; for the openssh carrier. */
  readonly args: readonly string[];
}

/** What a person must say before a link can go on. */
export interface Prompt {
  readonly id: string;
  readonly link: string;
  /** Host as shown to a person. */
  readonly host: string;
  readonly kind: 'passphrase' | 'password' | 'question' | 'host_key';
  /** One line: what is asked and for what. */
  readonly title: string;
  /** What the server says about it, sanitised; may be empty. */
  readonly instructions: string;
  /** One answer each; `echo` false hides what is typed. Empty for `host_key`. */
  readonly fields: readonly { readonly label: string; readonly echo: boolean }[];
  /** SHA256 fingerprint and key type, for `host_key`. */
  readonly fingerprint: string | null;
  readonly keyType: string | null;
  /** ISO time. */
  readonly since: string;
}

export type PromptAnswer =
  | { readonly answers: readonly string[]; readonly remember: 'once' | 'engine' }
  /** For `host_key`: `yes`, `no`, or the fingerprint typed in full. */
  | { readonly hostKey: string };
