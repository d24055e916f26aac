import { carrierFacts } from './carrier-facts.ts';
import { chooseCarrier } from './choose-carrier.ts';
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
  signal?: AbortSignal,
): Promise<HostReport> {
  sshDestination(request.dest);
  const printed =
    env.ssh === null ? await resolveHost(request, env, signal) : await printedOptions(request, env.ssh, signal);
  const options = Object.fromEntries(Object.entries(printed).map(([name, value]) => [name.toLowerCase(), value]));
  const { carrier, why } = chooseCarrier(options, await carrierFacts(request, options, env));
  return { ...printed, carrier, why };
}
