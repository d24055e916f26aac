import type { ResolvedOptions } from '../model/host.ts';
import { expandPath, type TokenValues } from './tokens.ts';

/** The agent's socket as IdentityAgent and the environment say, ssh_config(5); null where there is none. */
export function agentSocket(options: ResolvedOptions, values: TokenValues): string | null {
  const value = options.identityagent;
  const text = typeof value === 'string' ? value : (value?.[0] ?? 'SSH_AUTH_SOCK');
  if (text.toLowerCase() === 'none') return null;
  if (text === 'SSH_AUTH_SOCK') return values.env.SSH_AUTH_SOCK || null;
  if (/^\$[A-Za-z_][A-Za-z0-9_]*$/.test(text)) return values.env[text.slice(1)] || null;
  return expandPath(text, values);
}
