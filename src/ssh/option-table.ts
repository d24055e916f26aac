// How `ssh -G` prints each option that matters to a forward, for machines without it.
import { type Listen, parseForwardSpec, type Target } from '../model/endpoint.ts';

export interface OptionKind {
  /** Turns the words of a line into the printed value; null refuses them. */
  readonly print: (words: readonly string[], home: string) => string | null;
  /** Every line counts, not only the first. */
  readonly repeats?: true;
  /** Printed where nothing sets it; none: not printed. */
  readonly initial?: string | readonly string[];
}

type Print = OptionKind['print'];

const one =
  (print: (word: string, home: string) => string | null): Print =>
  (words, home) =>
    words.length === 1 ? print(words[0] as string, home) : null;

const choice = (values: Readonly<Record<string, string>>) => one((word) => values[word.toLowerCase()] ?? null);
const switchWords = { yes: 'yes', true: 'yes', no: 'no', false: 'no' };
const flag = (initial: 'yes' | 'no'): OptionKind => ({ print: choice(switchWords), initial });
const number = (initial?: string): OptionKind => ({
  print: one((word) => (/^\d{1,9}$/.test(word) ? String(Number(word)) : null)),
  ...(initial === undefined ? {} : { initial }),
});
const word: OptionKind = { print: one((text) => text) };
const plainWord: OptionKind = { print: one((text) => (text.includes('%') || text.includes('${') ? null : text)) };

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** TIME FORMATS of sshd_config(5), in seconds. */
function seconds(text: string): string | null {
  if (!/^(?:\d+[smhdw]?)+$/i.test(text)) return null;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([smhdw]?)/gi)) {
    total += Number(count) * (secondsOf[(unit || 's').toLowerCase()] as number);
  }
  return String(total);
}

/** Only lists that stand for themselves: `+`, `-`, `^` and wildcards are relative to what ssh was built with. */
const algorithms: OptionKind = { print: one((text) => (/^[^-+^]/.test(text) && !/[*?]/.test(text) ? text : null)) };

/** A path with `~`; ssh prints these with tokens expanded, which is left to it. */
function expandHome(path: string, home: string): string | null {
  if (/%|\$\{/.test(path)) return null;
  if (path === '~' || path.startsWith('~/')) return home + path.slice(1);
  return path.startsWith('~') ? null : path;
}

const files = (initial: string): OptionKind => ({
  print: (words, home) => {
    const paths = words.map((each) => expandHome(each, home));
    return paths.every((each) => each !== null) ? paths.join(' ') : null;
  },
  initial,
});

const printListen = (listen: Listen): string => {
  if ('socket' in listen) return listen.socket;
  return listen.address === undefined ? String(listen.port) : `[${listen.address}]:${listen.port}`;
};
const printTarget = (target: Target): string =>
  'socket' in target ? target.socket : `[${target.host}]:${target.port}`;

const forward = (kind: 'local' | 'remote' | 'dynamic'): OptionKind => ({
  repeats: true,
  print: (words) => {
    if (words.length > 2 || words[0]?.startsWith(':') || (kind === 'local' && words.length !== 2)) return null;
    try {
      const spec = parseForwardSpec(kind, words.join(':'));
      if (kind === 'dynamic') return printListen(spec.listen);
      return `${printListen(spec.listen)} ${spec.target === null ? '[socks]:0' : printTarget(spec.target)}`;
    } catch {
      return null;
    }
  },
});

const logLevels: Readonly<Record<string, string>> = {
  quiet: 'SILENT',
  silent: 'SILENT',
  fatal: 'FATAL',
  error: 'ERROR',
  info: 'INFO',
  verbose: 'VERBOSE',
  debug: 'DEBUG',
  debug1: 'DEBUG',
  debug2: 'DEBUG2',
  debug3: 'DEBUG3',
};

const identities = ['id_rsa', 'id_ecdsa', 'id_ecdsa_sk', 'id_ed25519', 'id_ed25519_sk', 'id_xmss', 'id_dsa'];

export const optionKinds: Readonly<Record<string, OptionKind>> = {
  user: plainWord,
  port: { print: one((text) => (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535 ? text : null)), initial: '22' },
  hostname: word,
  addressfamily: { print: choice({ any: 'any', inet: 'inet', inet6: 'inet6' }), initial: 'any' },
  batchmode: flag('no'),
  bindaddress: word,
  bindinterface: word,
  certificatefile: { ...word, repeats: true },
  checkhostip: flag('no'),
  ciphers: algorithms,
  clearallforwardings: flag('no'),
  compression: flag('no'),
  connectionattempts: number('1'),
  connecttimeout: { print: one((text) => (text === 'none' ? 'none' : seconds(text))), initial: 'none' },
  dynamicforward: forward('dynamic'),
  exitonforwardfailure: flag('no'),
  gatewayports: flag('no'),
  globalknownhostsfile: files('/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2'),
  gssapiauthentication: flag('no'),
  hashknownhosts: flag('no'),
  hostbasedauthentication: flag('no'),
  hostkeyalgorithms: algorithms,
  hostkeyalias: { print: one((text) => text.toLowerCase()) },
  identitiesonly: flag('no'),
  identityagent: {
    print: one((text, home) =>
      /^(?:none|SSH_AUTH_SOCK)$/.test(text) ? text : text.startsWith('$') ? null : expandHome(text, home),
    ),
  },
  identityfile: { ...word, repeats: true, initial: identities.map((file) => `~/.ssh/${file}`) },
  kbdinteractiveauthentication: flag('yes'),
  kexalgorithms: algorithms,
  localforward: forward('local'),
  loglevel: { print: choice(logLevels), initial: 'INFO' },
  macs: algorithms,
  nohostauthenticationforlocalhost: flag('no'),
  numberofpasswordprompts: number('3'),
  passwordauthentication: flag('yes'),
  pkcs11provider: plainWord,
  preferredauthentications: word,
  proxyusefdpass: flag('no'),
  pubkeyacceptedalgorithms: algorithms,
  pubkeyauthentication: {
    print: choice({
      yes: 'true',
      true: 'true',
      no: 'false',
      false: 'false',
      unbound: 'unbound',
      'host-bound': 'host-bound',
    }),
    initial: 'true',
  },
  remoteforward: forward('remote'),
  requiredrsasize: number(),
  revokedhostkeys: plainWord,
  serveralivecountmax: number('3'),
  serveraliveinterval: { print: one(seconds) },
  streamlocalbindunlink: flag('no'),
  stricthostkeychecking: {
    print: choice({
      yes: 'true',
      true: 'true',
      no: 'false',
      off: 'false',
      false: 'false',
      ask: 'ask',
      'accept-new': 'accept-new',
    }),
    initial: 'ask',
  },
  tcpkeepalive: flag('yes'),
  updatehostkeys: { print: choice({ yes: 'true', true: 'true', no: 'false', false: 'false', ask: 'ask' }) },
  userknownhostsfile: files(''),
  verifyhostkeydns: {
    print: choice({ yes: 'true', true: 'true', no: 'false', false: 'false', ask: 'ask' }),
    initial: 'false',
  },
};

/** Other spellings ssh takes. */
export const optionAliases: Readonly<Record<string, string>> = {
  challengeresponseauthentication: 'kbdinteractiveauthentication',
  skeyauthentication: 'kbdinteractiveauthentication',
  tisauthentication: 'kbdinteractiveauthentication',
  dsaauthentication: 'pubkeyauthentication',
  keepalive: 'tcpkeepalive',
  pubkeyacceptedkeytypes: 'pubkeyacceptedalgorithms',
  identityfile2: 'identityfile',
  hostkeyalgorithm: 'hostkeyalgorithms',
  globalknownhostsfile2: 'globalknownhostsfile',
  userknownhostsfile2: 'userknownhostsfile',
  smartcarddevice: 'pkcs11provider',
};

/** What changes nothing about a forward; read over, as the options of a shell session are. */
export const indifferentOptions: ReadonlySet<string> = new Set(
  `addkeystoagent controlmaster controlpath controlpersist enableescapecommandline escapechar fingerprinthash
   forkafterauthentication forwardagent forwardx11 forwardx11timeout forwardx11trusted
   gssapidelegatecredentials gssapikeyexchange ipqos localcommand logverbose
   permitlocalcommand permitremoteopen rekeylimit remotecommand requesttty securitykeyprovider sendenv sessiontype setenv
   stdinnull streamlocalbindmask syslogfacility tunnel tunneldevice visualhostkey xauthlocation ignoreunknown
   obscurekeystroketiming channeltimeout`.split(/\s+/),
);
