import type { LinkSpec } from '../model/host.ts';
import { carrierFacts } from './carrier-facts.ts';
import { chooseCarrier } from './choose-carrier.ts';
import { type PlanOptions, planLinks } from './plan.ts';
import { type HostRequest, sshDestination } from './request.ts';
import { printedOptions, resolveHost, type SshEnvironment, sshEnvironment } from './resolve.ts';

/** A host's options under the names `ssh -G` prints, and which carrier it gets and why. */
export type HostReport = Readonly<Record<string, string | readonly string[]>> & {
  readonly carrier: string;
  readonly why: string;
};

/**
 * What `sallyport host DEST --json` prints; fails where `ssh -G` fails.
 * @throws SallyportError `host_config`, `carrier_missing`
 */
export async function hostReport(
  request: HostRequest,
  env: SshEnvironment = sshEnvironment(),
  options: Pick<PlanOptions, 'signal' | 'mismatched'> = {},
): Promise<HostReport> {
  const { signal, mismatched = [] } = options;
  sshDestination(request.dest);
  const printed =
    env.ssh === null ? await resolveHost(request, env, signal) : await printedOptions(request, env.ssh, signal);
  const resolved = Object.fromEntries(Object.entries(printed).map(([name, value]) => [name.toLowerCase(), value]));
  let { carrier, why } = chooseCarrier(resolved, await carrierFacts(request, resolved, env));
  // What only a try has shown takes a plan to be found again.
  if (mismatched.length > 0) ({ carrier, why } = (await planLinks(request, { ...options, env })).at(-1) as LinkSpec);
  return { ...printed, carrier, why };
}
