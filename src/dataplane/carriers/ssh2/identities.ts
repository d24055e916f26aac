// Which keys to try, in ssh's order: agent keys that the configuration lists, other agent keys, key files alone.
import type { ParsedKey } from 'ssh2';
import { SallyportError } from '../../../model/errors.ts';
import type { ResolvedOptions } from '../../../model/host.ts';
import { agentSocket } from '../../../ssh/agent-socket.ts';
import { type Identity, missingIdentities, readIdentities } from '../../../ssh/identity.ts';
import { optionNames, optionOn } from '../../../ssh/option-values.ts';
import type { TokenValues } from '../../../ssh/tokens.ts';
import type { LinkContext } from '../link-context.ts';
import { Agent, parsePublic } from './agent.ts';

type PrivateIdentity = Extract<Identity, { is: 'private' }>;

export type Candidate =
  | { readonly from: 'agent'; readonly key: ParsedKey; readonly agent: Agent; readonly label: string }
  /** `key` is the public half; null until the file is decrypted. */
  | {
      readonly from: 'file';
      readonly key: ParsedKey | null;
      readonly identity: PrivateIdentity;
      readonly label: string;
    };

export interface Candidates {
  readonly list: readonly Candidate[];
  /** What kept keys from the list, worst first; told if nothing on the list works. */
  readonly problems: readonly SallyportError[];
}

/** The signature algorithms of a key type that PubkeyAcceptedAlgorithms leaves. */
export function acceptedAlgorithms(options: ResolvedOptions, type: string): string[] {
  const all = type === 'ssh-rsa' ? ['rsa-sha2-256', 'rsa-sha2-512', 'ssh-rsa'] : [type];
  const accepted = optionNames(options, 'pubkeyacceptedalgorithms');
  return accepted.length === 0 ? all : all.filter((algorithm) => accepted.includes(algorithm));
}

function blobOf(identity: Identity): Buffer | null {
  return identity.is === 'private' || identity.is === 'public' ? identity.blob : null;
}

const noSuchKey = (file: string) =>
  new SallyportError('key_unreadable', `the key ${file} does not exist`, 'correct IdentityFile');

function keyProblem(identity: Identity, note: LinkContext['note']): SallyportError | null {
  if (identity.is === 'missing' && identity.explicit) return noSuchKey(identity.file);
  if (identity.is === 'unusable') {
    const message = `the key ${identity.file} ${identity.why}`;
    note('warn', 'key_unreadable', message);
    return new SallyportError('key_unreadable', message, identity.hint || 'name another IdentityFile');
  }
  return null;
}

/** @param args the arguments ssh(1) would be given */
export async function findCandidates(
  options: ResolvedOptions,
  args: readonly string[],
  values: TokenValues,
  note: LinkContext['note'],
): Promise<Candidates> {
  const problems: SallyportError[] = [];
  const identities = await readIdentities(options, values);
  for (const identity of identities) {
    const problem = keyProblem(identity, note);
    if (problem !== null) problems.push(problem);
  }
  problems.push(...(await missingIdentities(args, values)).map(noSuchKey));

  const socket = agentSocket(options, values);
  let held: ParsedKey[] = [];
  const agent = socket === null ? null : new Agent(socket);
  if (agent !== null) {
    try {
      held = await agent.list();
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      note('warn', error.code, error.message);
      problems.push(error);
    }
  }
  const fromAgent = (key: ParsedKey): Candidate => ({
    from: 'agent',
    key,
    agent: agent as Agent,
    label: `${key.comment || key.type} (agent)`,
  });

  const left = new Map(held.map((key) => [key.getPublicSSH().toString('base64'), key]));
  const listed: Candidate[] = [];
  const files: Candidate[] = [];
  for (const identity of identities) {
    const blob = blobOf(identity);
    const name = blob?.toString('base64') ?? '';
    const match = left.get(name);
    if (match !== undefined) {
      listed.push(fromAgent(match));
      left.delete(name);
    } else if (identity.is === 'private') {
      const key = blob === null ? null : parsePublic(blob);
      if (blob !== null && key === null) {
        const message = `the key ${identity.file} is of a type the embedded carrier lacks`;
        problems.push(new SallyportError('key_unreadable', message, 'choose the openssh carrier for this host'));
      } else {
        files.push({ from: 'file', key, identity, label: identity.file });
      }
    } else if (identity.is === 'public') {
      const message = `${identity.file} is a public key, and no agent holds its private half`;
      problems.push(new SallyportError('key_unreadable', message, 'add the key to the agent with ssh-add'));
    }
  }
  const others = optionOn(options, 'identitiesonly', false) ? [] : [...left.values()].map(fromAgent);
  return { list: [...listed, ...others, ...files], problems };
}
