import type { Mapping, PortSet } from './config.ts';
import { SallyportError } from './errors.ts';
import { nearestName } from './names.ts';
import { parsePortList } from './ports.ts';

export const presetCategories = [
  'games',
  'consoles',
  'vpn',
  'cameras',
  'voip',
  'remote desktop',
  'torrents',
  'web',
  'mail',
  'dns',
  'home automation',
  'media',
  'file sharing',
  'databases',
  'management',
  'peers',
] as const;
export type PresetCategory = (typeof presetCategories)[number];

/** The ports a service takes connections on, as its makers or the registry name them. */
export interface Preset {
  readonly name: string;
  readonly title: string;
  readonly category: PresetCategory;
  readonly ports: readonly PortSet[];
  /** What a mapping alone does not do. */
  readonly note?: string;
  /** Where the ports are written down. */
  readonly source: string;
}

export const tcp = (ports: string): PortSet => ({ proto: 'tcp', ports });
export const udp = (ports: string): PortSet => ({ proto: 'udp', ports });
export const both = (ports: string): PortSet => ({ proto: 'both', ports });
const iana = (service: string) => `IANA service name registry: ${service}`;

function group(
  category: PresetCategory,
  rows: readonly (readonly [name: string, title: string, ports: readonly PortSet[], source: string, note?: string])[],
): Preset[] {
  return rows.map(([name, title, ports, source, note]) => ({
    name,
    title,
    category,
    ports,
    ...(note === undefined ? {} : { note }),
    source,
  }));
}

const database = 'give it a source list: databases are attacked within minutes of being open to the world';
const secondPorts = (helper: string) =>
  `opens second ports that a mapping does not know of; with nftables use the helper ${helper}`;

/** Services by name, for `map --preset` and the form. */
export const presets: readonly Preset[] = [
  ...group('games', [
    ['minecraft', 'Minecraft, Java edition', [tcp('25565')], 'minecraft.wiki: server.properties, server-port'],
    [
      'minecraft-bedrock',
      'Minecraft, Bedrock edition',
      [udp('19132-19133')],
      'minecraft.wiki: server.properties, server-port and server-portv6',
    ],
    ['valheim', 'Valheim', [udp('2456-2457')], 'Valheim dedicated server guide'],
    ['terraria', 'Terraria', [tcp('7777')], 'terraria.wiki.gg: server'],
    ['factorio', 'Factorio', [udp('34197')], 'wiki.factorio.com: multiplayer'],
    ['satisfactory', 'Satisfactory', [both('7777'), tcp('8888')], 'satisfactory.wiki.gg: dedicated servers'],
    ['palworld', 'Palworld', [udp('8211')], 'Palworld tech guide: dedicated server'],
    [
      'rust-server',
      'Rust (the game)',
      [udp('28015'), udp('28017')],
      'wiki.facepunch.com: Rust, creating a server',
      'game and query port; leave RCON (tcp 28016) inside',
    ],
    ['ark', 'ARK: Survival Evolved', [udp('7777-7778'), udp('27015')], 'ark.wiki.gg: dedicated server setup'],
    [
      'source-server',
      'Counter-Strike, Team Fortress 2 and other Source games',
      [both('27015'), udp('27020')],
      'Valve developer community: Source Dedicated Server',
      'tcp 27015 is RCON: give it a source list or leave it out',
    ],
    ['project-zomboid', 'Project Zomboid', [udp('16261-16262')], 'pzwiki.net: dedicated server'],
    ['7-days-to-die', '7 Days to Die', [both('26900'), udp('26901-26903')], '7daystodie.wiki.gg: server'],
    [
      'fivem',
      'FiveM, RedM',
      [both('30120')],
      'docs.fivem.net: setting up a server, endpoint_add_tcp and endpoint_add_udp',
    ],
    ['arma3', 'Arma 3', [udp('2302-2306')], 'community.bistudio.com: Arma 3 dedicated server'],
    ['enshrouded', 'Enshrouded', [udp('15636-15637')], 'enshrouded.zendesk.com: dedicated server configuration'],
    ['v-rising', 'V Rising', [udp('9876-9877')], 'github.com/StunlockStudios: vrising-dedicated-server-instructions'],
    ['unturned', 'Unturned', [udp('27015-27016')], 'docs.smartlydressedgames.com: hosting, port forwarding'],
    ['starbound', 'Starbound', [tcp('21025')], 'starbounder.org: guide to server administration'],
    ['quake3', 'Quake III Arena', [udp('27960')], 'ioquake3.org: system administrator guide'],
    ['xonotic', 'Xonotic', [udp('26000')], iana('quake')],
    ['teeworlds', 'Teeworlds, DDraceNetwork', [udp('8303')], 'teeworlds.com: server settings'],
    ['luanti', 'Luanti (Minetest)', [udp('30000')], 'docs.luanti.org: setting up a server'],
    ['openttd', 'OpenTTD', [both('3979')], 'wiki.openttd.org: server'],
  ]),
  ...group('consoles', [
    [
      'xbox',
      'Xbox network',
      [both('3074'), udp('88'), udp('500'), udp('3544'), udp('4500')],
      'support.xbox.com: network ports used by the Xbox network',
    ],
    [
      'playstation',
      'PlayStation Network',
      [tcp('3478-3480'), udp('3478-3479')],
      'playstation.com support: ports for PlayStation Network',
    ],
    [
      'nintendo-switch',
      'Nintendo Switch',
      [udp('1024-65535')],
      'en-americas-support.nintendo.com: port forwarding for Nintendo Switch',
      "the maker's own advice, and nearly everything: prefer triggers, and only for the console's address",
    ],
    [
      'steam-remote-play',
      'Steam Remote Play',
      [udp('27031-27036'), tcp('27036')],
      'help.steampowered.com: required ports for Steam',
    ],
    [
      'sunshine',
      'Sunshine, Moonlight game streaming',
      [tcp('47984'), tcp('47989'), tcp('48010'), udp('47998-48000')],
      'docs.lizardbyte.dev: Sunshine, port',
      'leave its web interface (tcp 47990) inside',
    ],
  ]),
  ...group('vpn', [
    ['wireguard', 'WireGuard', [udp('51820')], 'wireguard.com: quick start'],
    ['openvpn', 'OpenVPN', [udp('1194')], iana('openvpn'), 'for a server with proto tcp map tcp 1194 instead'],
    [
      'ipsec',
      'IPsec, IKEv2',
      [udp('500'), udp('4500')],
      iana('isakmp, ipsec-nat-t'),
      'plain ESP (IP protocol 50) is not mapped; both ends must use NAT traversal',
    ],
    ['l2tp', 'L2TP over IPsec', [udp('500'), udp('1701'), udp('4500')], iana('isakmp, l2tp, ipsec-nat-t')],
    ['pptp', 'PPTP', [tcp('1723')], iana('pptp'), `carries its data in GRE; ${secondPorts('pptp')}; broken, avoid it`],
    ['tailscale', 'Tailscale', [udp('41641')], 'tailscale.com/kb/1082: firewall ports'],
    ['zerotier', 'ZeroTier', [udp('9993')], 'docs.zerotier.com: router configuration'],
    ['nebula', 'Nebula', [udp('4242')], 'nebula.defined.net: listen.port'],
  ]),
  ...group('cameras', [
    ['rtsp', 'RTSP camera', [both('554')], iana('rtsp'), 'a client should ask for interleaved TCP'],
    [
      'hikvision',
      'Hikvision camera or recorder',
      [tcp('80'), tcp('554'), tcp('8000')],
      'Hikvision support: network ports (HTTP, RTSP, server port)',
      'better reached through a tunnel or VPN',
    ],
    [
      'dahua',
      'Dahua camera or recorder',
      [tcp('80'), tcp('554'), tcp('37777'), udp('37778')],
      'dahuawiki.com: port forwarding',
      'better reached through a tunnel or VPN',
    ],
    [
      'reolink',
      'Reolink camera or recorder',
      [tcp('9000'), tcp('554'), tcp('1935')],
      'support.reolink.com: ports (media, RTSP, RTMP)',
      'better reached through a tunnel or VPN',
    ],
    [
      'frigate',
      'Frigate recorder',
      [tcp('8971'), both('8555')],
      'docs.frigate.video: installation, ports',
      'the port with a login, and WebRTC; leave tcp 5000 inside, it asks for none',
    ],
  ]),
  ...group('voip', [
    ['sip', 'SIP', [both('5060'), tcp('5061')], iana('sip, sips'), `sound comes over RTP; ${secondPorts('sip')}`],
    [
      'asterisk',
      'Asterisk, FreePBX',
      [both('5060'), udp('10000-20000')],
      'Asterisk sample configuration: rtp.conf',
      'narrow rtpstart and rtpend in rtp.conf, and the mapping with them',
    ],
    ['iax2', 'IAX2', [udp('4569')], iana('iax')],
    ['h323', 'H.323', [tcp('1720')], iana('h323hostcall'), secondPorts('h323')],
    [
      'turn',
      'STUN and TURN server',
      [both('3478'), both('5349'), udp('49152-65535')],
      'RFC 8656; coturn: min-port, max-port',
    ],
    ['jitsi', 'Jitsi Meet', [tcp('80'), tcp('443'), udp('10000')], 'jitsi.github.io/handbook: self-hosting'],
    ['mumble', 'Mumble', [both('64738')], 'mumble.info: murmur.ini, port'],
    [
      'teamspeak',
      'TeamSpeak 3',
      [udp('9987'), tcp('30033')],
      'support.teamspeak.com: which ports does the server use',
      'voice and files; leave the query port (tcp 10011) inside',
    ],
    ['xmpp', 'XMPP (Jabber) server', [tcp('5222'), tcp('5269')], iana('xmpp-client, xmpp-server')],
    ['irc', 'IRC server with TLS', [tcp('6697')], `${iana('ircs-u')}; RFC 7194`],
    ['matrix', 'Matrix homeserver', [tcp('443'), tcp('8448')], iana('https, matrix-fed')],
  ]),
  ...group('remote desktop', [
    [
      'ssh',
      'SSH and SFTP',
      [tcp('22')],
      iana('ssh'),
      'this machine most likely has port 22 itself: choose another outside',
    ],
    ['mosh', 'Mosh', [udp('60000-61000')], 'mosh.org: usage', 'needs SSH as well, to begin with'],
    ['rdp', 'Windows Remote Desktop', [both('3389')], iana('ms-wbt-server'), 'give it a source list, or use a tunnel'],
    ['vnc', 'VNC, first display', [tcp('5900')], iana('rfb'), 'not encrypted by itself: use a tunnel'],
    ['anydesk', 'AnyDesk, direct connection', [tcp('7070')], 'support.anydesk.com: firewall'],
    [
      'rustdesk-server',
      'RustDesk server',
      [tcp('21115-21119'), udp('21116')],
      'rustdesk.com/docs: self-host, firewall',
    ],
  ]),
  ...group('torrents', [
    ['bittorrent', 'BitTorrent', [both('6881-6889')], 'BEP 3: the BitTorrent protocol; µTP and DHT use UDP'],
    ['transmission', 'Transmission', [both('51413')], 'Transmission: peer-port'],
    ['emule', 'eMule', [tcp('4662'), udp('4672')], 'emule-project.com: ports'],
  ]),
  ...group('web', [
    ['http', 'Web server', [tcp('80')], iana('http')],
    [
      'https',
      'Web server with TLS, HTTP/3',
      [both('443')],
      iana('https'),
      'UDP is HTTP/3; take tcp alone where it is not served',
    ],
    ['web', 'Web server, with and without TLS', [tcp('80'), both('443')], iana('http, https')],
    ['http-alt', 'Web server, unprivileged port', [tcp('8080')], iana('http-alt')],
    ['git', 'Git server', [tcp('9418')], iana('git'), 'the git protocol has no login'],
  ]),
  ...group('mail', [
    ['smtp', 'Mail from other servers', [tcp('25')], iana('smtp')],
    ['submission', 'Mail from clients', [tcp('465'), tcp('587')], iana('submissions, submission')],
    ['imap', 'IMAP', [tcp('143'), tcp('993')], iana('imap, imaps')],
    ['pop3', 'POP3', [tcp('110'), tcp('995')], iana('pop3, pop3s')],
    [
      'mail-server',
      'Mail server: SMTP, submission, IMAP, Sieve',
      [tcp('25'), tcp('465'), tcp('587'), tcp('993'), tcp('4190')],
      iana('smtp, submissions, submission, imaps, sieve'),
    ],
  ]),
  ...group('dns', [
    ['dns', 'DNS server', [both('53')], iana('domain'), 'an open resolver is abused: answer for your own zones only'],
    ['dns-over-tls', 'DNS over TLS and QUIC', [both('853')], `${iana('domain-s')}; RFC 7858, RFC 9250`],
    ['ntp', 'Time server', [udp('123')], iana('ntp')],
  ]),
  ...group('home automation', [
    ['home-assistant', 'Home Assistant', [tcp('8123')], 'home-assistant.io: http integration, server_port'],
    ['openhab', 'openHAB', [tcp('8443')], 'openhab.org: securing access'],
    ['mqtt', 'MQTT broker with TLS', [tcp('8883')], iana('secure-mqtt'), 'plain MQTT is tcp 1883: leave it inside'],
    ['knx', 'KNXnet/IP', [udp('3671')], iana('efcp'), 'has no login unless KNX Secure is used: tunnel it'],
    [
      'modbus',
      'Modbus over TCP',
      [tcp('502')],
      iana('mbap'),
      'has no login at all: tunnel it, or give it a source list',
    ],
  ]),
  ...group('media', [
    ['plex', 'Plex Media Server', [tcp('32400')], iana('plex')],
    ['emby', 'Emby', [tcp('8096'), tcp('8920')], 'emby.media: support, hosting settings'],
    ['jellyfin', 'Jellyfin', [tcp('8096'), tcp('8920')], 'jellyfin.org: networking'],
    ['icecast', 'Icecast', [tcp('8000')], 'icecast.org: listen-socket'],
  ]),
  ...group('file sharing', [
    ['ftp', 'FTP, control connection', [tcp('21')], iana('ftp'), secondPorts('ftp')],
    [
      'ftp-passive',
      'FTP with a fixed passive range',
      [tcp('21'), tcp('50000-50100')],
      `${iana('ftp')}; RFC 959, PASV`,
      'set the same passive range, and the outside address, in the server (vsftpd: pasv_min_port, pasv_address)',
    ],
    ['tftp', 'TFTP', [udp('69')], iana('tftp'), secondPorts('tftp')],
    [
      'smb',
      'Windows file sharing',
      [tcp('445')],
      iana('microsoft-ds'),
      'never without a source list; most providers block it',
    ],
    ['nfs', 'NFS version 4', [tcp('2049')], iana('nfs'), 'give it a source list'],
    ['rsync', 'rsync daemon', [tcp('873')], iana('rsync')],
    ['synology', 'Synology DSM', [tcp('5001')], 'kb.synology.com: network ports used by DSM services'],
    ['syncthing', 'Syncthing', [both('22000')], 'docs.syncthing.net: firewall setup'],
  ]),
  ...group('databases', [
    ['postgresql', 'PostgreSQL', [tcp('5432')], iana('postgresql'), database],
    ['mysql', 'MySQL, MariaDB', [tcp('3306')], iana('mysql'), database],
    ['mssql', 'Microsoft SQL Server', [tcp('1433')], iana('ms-sql-s'), database],
    ['oracle', 'Oracle Database', [tcp('1521')], 'Oracle Net Services: listener', database],
    ['mongodb', 'MongoDB', [tcp('27017')], iana('mongodb'), database],
    ['redis', 'Redis, Valkey', [tcp('6379')], iana('redis'), database],
    [
      'elasticsearch',
      'Elasticsearch, OpenSearch',
      [tcp('9200')],
      'elastic.co: networking settings, http.port',
      database,
    ],
  ]),
  ...group('management', [
    [
      'unifi',
      'UniFi Network server, for devices elsewhere',
      [tcp('8080'), udp('3478')],
      'help.ui.com: required ports reference, UniFi Network',
      'inform and STUN; leave its web interface (tcp 8443) inside',
    ],
    ['kubernetes', 'Kubernetes API', [tcp('6443')], 'kubernetes.io: ports and protocols', 'give it a source list'],
    [
      'proxmox',
      'Proxmox VE',
      [tcp('8006')],
      'pve.proxmox.com: firewall, ports used',
      'give it a source list, or use a tunnel',
    ],
    ['cockpit', 'Cockpit', [tcp('9090')], 'cockpit-project.org: listening', 'give it a source list, or use a tunnel'],
    [
      'webmin',
      'Webmin',
      [tcp('10000')],
      'webmin.com: documentation, installation',
      'give it a source list, or use a tunnel',
    ],
  ]),
  ...group('peers', [
    ['lightning', 'Lightning node', [tcp('9735')], 'BOLT 1: base protocol'],
    ['monero', 'Monero node', [tcp('18080')], 'docs.getmonero.org: interacting, network ports'],
    ['bitcoin', 'Bitcoin node', [tcp('8333')], 'developer.bitcoin.org: P2P network'],
    ['ethereum', 'Ethereum node', [both('30303')], 'geth.ethereum.org: connecting to the network'],
    ['ipfs', 'IPFS node', [both('4001')], 'docs.ipfs.tech: Addresses.Swarm'],
    ['tor-relay', 'Tor relay', [tcp('9001')], 'community.torproject.org: relay setup, ORPort'],
  ]),
];

/** A named row of one of the preset tables. @throws SallyportError `not_found`, with the nearest name */
export function findNamed<T extends { readonly name: string }>(table: readonly T[], name: string, what: string): T {
  const found = table.find((row) => row.name === name.toLowerCase());
  if (found !== undefined) return found;
  const nearest = nearestName(
    name,
    table.map((row) => row.name),
  );
  throw new SallyportError(
    'not_found',
    `no ${what} is called "${name}"`,
    nearest === null ? 'sallyport presets lists them' : `did you mean ${nearest}? sallyport presets lists them all`,
  );
}

/** @throws SallyportError `not_found`, with the nearest name */
export const findPreset = (name: string): Preset => findNamed(presets, name, 'preset');

/** What a preset says about a mapping; the rest is the caller's. */
export type PresetMapping = Pick<Mapping, 'kind' | 'name' | 'proto' | 'listen' | 'target'>;

/**
 * The mappings a preset needs: one for each protocol and range, the same ports inside as outside; a single one has the
 * name as it is, several are NAME-1, NAME-2 ….
 */
export function presetMappings(preset: Preset, name: string, host: string): PresetMapping[] {
  const ranges = preset.ports.flatMap(({ proto, ports }) => parsePortList(ports).map((range) => ({ proto, ...range })));
  return ranges.map(({ proto, first, last }, i) => ({
    kind: 'mapping',
    name: ranges.length === 1 ? name : `${name}-${i + 1}`,
    proto,
    listen: first === last ? { port: first } : { port: first, last },
    target: { host, port: first },
  }));
}
