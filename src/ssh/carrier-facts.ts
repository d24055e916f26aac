import { readFile } from 'node:fs/promises';
import os from 'node:os';
import type { ResolvedOptions } from '../model/host.ts';
import type { CarrierFacts } from './choose-carrier.ts';
import { matchesHostList } from './patterns.ts';
import { type HostRequest, wantedCarrier } from './request.ts';
import type { SshEnvironment } from './resolve.ts';

/** Looks at the files the choice of a carrier depends on. What cannot be read is as if it were not there. */
export async function carrierFacts(
  request: HostRequest,
  options: ResolvedOptions,
  env: SshEnvironment,
): Promise<CarrierFacts> {
  const identities = lines(options.identityfile).filter((file) => file !== 'none');
  const found = await Promise.all(identities.map((file) => lookAt(file, expandIdentity(file, options, env.home))));
  return {
    wanted: wantedCarrier(request.overrides),
    hasSsh: env.ssh !== null,
    certificates: found.flatMap(({ certificate }) => certificate ?? []),
    securityKeys: found.flatMap(({ securityKey }) => securityKey ?? []),
    hostAuthority: await trustsAuthority(options),
  };
}

const lines = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value;

/** The file an IdentityFile value names: `~` and the tokens ssh_config(5) allows there. */
function expandIdentity(file: string, options: ResolvedOptions, home: string): string {
  const text = (name: string) => String(options[name] ?? '');
  const user = os.userInfo();
  const tokens: Readonly<Record<string, string>> = {
    '%': '%',
    d: home,
    h: text('hostname'),
    i: String(user.uid),
    j: text('proxyjump').split(',').at(-1) ?? '',
    k: text('hostkeyalias') || text('host'),
    L: os.hostname().split('.')[0] as string,
    l: os.hostname(),
    n: text('host'),
    p: text('port'),
    r: text('user'),
    u: user.username,
  };
  const path = file === '~' || file.startsWith('~/') ? home + file.slice(1) : file;
  return path
    .replace(/\$\{(\w+)\}/g, (_, name: string) => process.env[name] ?? '')
    .replace(/%(.)/g, (all, token: string) => tokens[token] ?? all);
}

interface Found {
  readonly certificate: string | null;
  readonly securityKey: string | null;
}

async function lookAt(name: string, file: string): Promise<Found> {
  const [certificate, publicKey, privateKey] = await Promise.all(
    [`${file}-cert.pub`, `${file}.pub`, file].map((each) => readFile(each, 'utf8').catch(() => null)),
  );
  const isSecurityKey =
    (publicKey !== null && publicKey !== undefined && /^sk-/.test(publicKey)) || embedsSecurityKey(privateKey);
  return {
    certificate: certificate?.includes('-cert-v01@openssh.com ') ? `${name}-cert.pub` : null,
    securityKey: isSecurityKey ? name : null,
  };
}

/** An OpenSSH private key carries its public half, with the type's name, in the clear. */
function embedsSecurityKey(text: string | null | undefined): boolean {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text ?? '')?.[1];
  return (
    body !== undefined &&
    /sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com/.test(Buffer.from(body, 'base64').toString('latin1'))
  );
}

/** Whether a `@cert-authority` line of the host's known_hosts files speaks for it. */
async function trustsAuthority(options: ResolvedOptions): Promise<boolean> {
  const port = String(options.port ?? '22');
  const bare = String(options.hostkeyalias ?? options.hostname ?? '');
  const name = port === '22' || options.hostkeyalias !== undefined ? bare : `[${bare}]:${port}`;
  const files = `${options.userknownhostsfile ?? ''} ${options.globalknownhostsfile ?? ''}`.split(' ');
  const texts = await Promise.all(files.filter(Boolean).map((file) => readFile(file, 'utf8').catch(() => '')));
  return texts.some((text) =>
    text.split('\n').some((line) => {
      const [marker, hosts] = line.trim().split(/\s+/);
      return marker === '@cert-authority' && hosts !== undefined && matchesHostList(hosts, name);
    }),
  );
}
