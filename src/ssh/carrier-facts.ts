import { readFile } from 'node:fs/promises';
import type { ResolvedOptions } from '../model/host.ts';
import type { CarrierFacts } from './choose-carrier.ts';
import { coversHost, knownHostName, parseKnownHosts } from './known-hosts.ts';
import { optionList, optionText, optionWords } from './option-values.ts';
import { type HostRequest, wantedCarrier } from './request.ts';
import type { SshEnvironment } from './resolve.ts';
import { expandPath, type TokenValues, tokenValues } from './tokens.ts';

/** Looks at the files the choice of a carrier depends on. What cannot be read is as if it were not there. */
export async function carrierFacts(
  request: HostRequest,
  options: ResolvedOptions,
  env: SshEnvironment,
): Promise<CarrierFacts> {
  const values = { ...tokenValues(request.dest, options), home: env.home };
  const identities = optionList(options, 'identityfile').filter((file) => file !== 'none');
  const found = await Promise.all(identities.map((file) => lookAt(file, values)));
  return {
    wanted: wantedCarrier(request.overrides),
    hasSsh: env.ssh !== null,
    certificates: found.flatMap(({ certificate }) => certificate ?? []),
    securityKeys: found.flatMap(({ securityKey }) => securityKey ?? []),
    hostAuthority: await trustsAuthority(options, values),
  };
}

/** A file's text; null where its name cannot be expanded or it cannot be read. */
async function textOf(name: string, values: TokenValues): Promise<string | null> {
  try {
    return await readFile(expandPath(name, values), 'utf8');
  } catch {
    return null;
  }
}

interface Found {
  readonly certificate: string | null;
  readonly securityKey: string | null;
}

async function lookAt(name: string, values: TokenValues): Promise<Found> {
  const [certificate, publicKey, privateKey] = await Promise.all([
    textOf(`${name}-cert.pub`, values),
    textOf(`${name}.pub`, values),
    textOf(name, values),
  ]);
  return {
    certificate: certificate?.includes('-cert-v01@openssh.com ') ? `${name}-cert.pub` : null,
    securityKey: publicKey?.startsWith('sk-') || embedsSecurityKey(privateKey ?? '') ? name : null,
  };
}

/** An OpenSSH private key carries its public half, with the type's name, in the clear. */
function embedsSecurityKey(text: string): boolean {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text)?.[1] ?? '';
  return /sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com/.test(Buffer.from(body, 'base64').toString('latin1'));
}

/** Whether a `@cert-authority` line of the host's known_hosts files speaks for it. */
async function trustsAuthority(options: ResolvedOptions, values: TokenValues): Promise<boolean> {
  const alias = optionText(options, 'hostkeyalias');
  const name = alias ? knownHostName(alias, 22) : knownHostName(values.hostname, Number(values.port));
  const files = [...optionWords(options, 'userknownhostsfile'), ...optionWords(options, 'globalknownhostsfile')];
  const texts = await Promise.all(files.map((file) => textOf(file, values)));
  return texts
    .flatMap((text, i) => parseKnownHosts(text ?? '', files[i] as string))
    .some(({ marker, hosts }) => marker === 'cert-authority' && coversHost(hosts, name));
}
