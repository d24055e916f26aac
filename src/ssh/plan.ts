import { createHash } from 'node:crypto';
import type { SshOverrides } from '../model/config.ts';
import { SallyportError } from '../model/errors.ts';
import type { LinkSpec, ResolvedOptions, SshCarrier } from '../model/host.ts';
import { carrierFacts } from './carrier-facts.ts';
import { type CarrierChoice, chooseCarrier } from './choose-carrier.ts';
import { optionOn, optionText } from './option-values.ts';
import { type HostRequest, sshArgs, sshDestination } from './request.ts';
import { resolveHost, type SshEnvironment, sshEnvironment } from './resolve.ts';

export interface PlanOptions {
  readonly env?: SshEnvironment;
  readonly signal?: AbortSignal;
  /** Ids of links over which the embedded carrier found no algorithm in common with the server. */
  readonly mismatched?: readonly string[];
}

/** As long a chain of jump hosts as anybody has; a longer one is taken for a loop nobody named. */
const maxHops = 16;

/**
 * The links from the jump hosts down to the destination, outermost first; the last is the destination's. Requests
 * that come to the same connection get the same ids. The system's ssh makes its own jumps: there the one link is all.
 * @throws SallyportError `host_config`, `carrier_missing`, `bad_value`
 */
export async function planLinks(request: HostRequest, options: PlanOptions = {}): Promise<LinkSpec[]> {
  const env = options.env ?? sshEnvironment();
  return plan(request, { ...options, env }, []);
}

type Settled = PlanOptions & { readonly env: SshEnvironment };

async function plan(request: HostRequest, settings: Settled, path: readonly string[]): Promise<LinkSpec[]> {
  const { env, signal } = settings;
  const options = await resolveHost(request, env, signal);
  const here = `${options.user}@${options.hostname}:${options.port}`;
  if (path.includes(here) || path.length >= maxHops) {
    throw new SallyportError(
      'host_config',
      `the jump hosts lead in a circle: ${[...path, here].join(' → ')}`,
      'set ProxyJump none for the host the chain should end at',
    );
  }
  refuseFdpass(options, request.dest);
  const facts = await carrierFacts(request, options, env);
  const choice = chooseCarrier(options, facts);
  const jump = choice.carrier === 'ssh2' ? jumpRequest(options, request.overrides) : null;
  const chain = jump === null ? [] : await plan(jump, settings, [...path, here]);
  const link = linkSpec(request, options, choice, chain.at(-1)?.id ?? null);
  if (choice.carrier !== 'ssh2' || facts.wanted === 'ssh2' || settings.mismatched?.includes(link.id) !== true)
    return [...chain, link];
  return [linkSpec(request, options, chooseCarrier(options, { ...facts, noCommonAlgorithm: true }), null)];
}

/** A proxy that hands over its socket is refused over either carrier, so that no host works over one of them only. */
function refuseFdpass(options: ResolvedOptions, dest: string): void {
  if (!optionOn(options, 'proxyusefdpass', false) || optionText(options, 'proxycommand') === '') return;
  throw new SallyportError(
    'unsupported',
    `${dest}: ProxyUseFdpass hands over an open socket, which cannot be taken here`,
    'set ProxyUseFdpass no, with a ProxyCommand that carries the data (nc without -F)',
  );
}

/**
 * The jump host next to the destination, as ssh would call itself for it: user, port and configuration file go along,
 * the hops before it become its own `-J`, nothing else of the command line does.
 */
function jumpRequest(options: ResolvedOptions, overrides: SshOverrides): HostRequest | null {
  const value = options.proxyjump;
  if (typeof value !== 'string' || value === 'none' || value === '') return null;
  const hops = value.split(',');
  const last = (hops.pop() as string).replace(/^ssh:\/\//i, '').replace(/\/$/, '');
  const [, user, host, port] = /^(?:(.*)@)?(\[[^\]]+\]|[^:]+|[^[]*:[^[]*:[^[]*)(?::(\d+))?$/.exec(last) ?? [];
  if (host === undefined)
    throw new SallyportError('host_config', `"${last}" is not a jump host`, 'write it as user@host:port');
  return {
    dest: host.replace(/^\[|\]$/g, ''),
    overrides: {
      ...(user ? { user } : {}),
      ...(port ? { port: Number(port) } : {}),
      ...(hops.length > 0 ? { jump: hops.join(',') } : {}),
      ...(overrides.configFile === undefined ? {} : { configFile: overrides.configFile }),
    },
  };
}

function linkSpec(request: HostRequest, options: ResolvedOptions, choice: CarrierChoice, via: string | null): LinkSpec {
  return {
    id: linkId(options, choice.carrier, via),
    dest: sshDestination(request.dest),
    options,
    carrier: choice.carrier,
    why: choice.why,
    via,
    args: sshArgs(request.overrides),
  };
}

/** Options that belong to a forward, a shell or a control master, not to the connection. */
const notTheConnection: ReadonlySet<string> = new Set(
  `host localforward remoteforward dynamicforward clearallforwardings exitonforwardfailure gatewayports
   streamlocalbindmask streamlocalbindunlink controlmaster controlpath controlpersist escapechar enableescapecommandline
   forkafterauthentication localcommand permitlocalcommand permitremoteopen remotecommand requesttty sendenv sessiontype
   setenv stdinnull visualhostkey xauthlocation forwardx11 forwardx11timeout forwardx11trusted loglevel logverbose
   syslogfacility`.split(/\s+/),
);

/**
 * Digest of what makes a connection what it is, however the destination was spelled; the spelling counts only where an
 * option uses it (`%n`).
 */
function linkId(options: ResolvedOptions, carrier: SshCarrier, via: string | null): string {
  const relevant = Object.entries(options)
    .filter(([name]) => !notTheConnection.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const usesSpelling = relevant.some(([, value]) => /%[nkCK]/.test(String(value)));
  const essence = [carrier, via, usesSpelling ? options.host : null, relevant];
  return createHash('sha256').update(JSON.stringify(essence)).digest('hex').slice(0, 16);
}
