import type { PortSet } from './config.ts';
import { both, findNamed, type PresetCategory, tcp, udp } from './presets.ts';

/** Outbound ports that show a program at work, and the inbound ones it then needs. */
export interface TriggerPreset {
  readonly name: string;
  readonly title: string;
  readonly category: PresetCategory | 'chat';
  readonly on: readonly PortSet[];
  readonly open: readonly PortSet[];
  /** A duration; longer than the pauses the protocol makes. */
  readonly idle: string;
  readonly note?: string;
  readonly source: string;
}

/** The classic triggers, for `trigger` and the form. */
export const triggerPresets: readonly TriggerPreset[] = [
  {
    name: 'irc-ident',
    title: 'IRC with ident',
    category: 'chat',
    on: [tcp('6660-6669,6697')],
    open: [tcp('113')],
    idle: '10m',
    source: 'RFC 1413; IANA service name registry: ident, ircu, ircs-u',
  },
  {
    name: 'irc-dcc',
    title: 'IRC with files and chats sent directly (DCC)',
    category: 'chat',
    on: [tcp('6660-6669,6697')],
    open: [tcp('113'), tcp('5000-5010')],
    idle: '10m',
    note: 'set the same DCC port range in the client (irssi: dcc_port, WeeChat: xfer.network.port_range)',
    source: 'RFC 1413; irssi and WeeChat documentation',
  },
  {
    name: 'ftp-active',
    title: 'FTP client in active mode',
    category: 'file sharing',
    on: [tcp('21')],
    open: [tcp('50000-50100')],
    idle: '5m',
    note: 'set the same active port range, and the outside address, in the client',
    source: 'RFC 959, PORT; FileZilla: network configuration',
  },
  {
    name: 'xbox',
    title: 'Xbox network',
    category: 'consoles',
    on: [udp('88'), both('3074')],
    open: [both('3074'), udp('3544'), udp('4500')],
    idle: '10m',
    source: 'support.xbox.com: network ports used by the Xbox network',
  },
  {
    name: 'playstation',
    title: 'PlayStation Network',
    category: 'consoles',
    on: [tcp('3478-3480,5223'), udp('3478-3479')],
    open: [tcp('3478-3480'), udp('3478-3479')],
    idle: '10m',
    source: 'playstation.com support: ports for PlayStation Network',
  },
  {
    name: 'steam-host',
    title: 'A Steam game hosted for others',
    category: 'games',
    on: [udp('27000-27100')],
    open: [both('27015')],
    idle: '10m',
    source: 'help.steampowered.com: required ports for Steam',
  },
  {
    name: 'battle-net',
    title: 'Classic Battle.net games',
    category: 'games',
    on: [tcp('6112')],
    open: [both('6112-6119')],
    idle: '10m',
    source: 'Blizzard support: ports of the classic games; IANA service name registry: dtspcd (6112)',
  },
  {
    name: 'directplay',
    title: 'DirectPlay games up to DirectX 7',
    category: 'games',
    on: [tcp('47624')],
    open: [tcp('47624'), both('2300-2400')],
    idle: '10m',
    source: 'Microsoft KB 240429',
  },
  {
    name: 'directplay8',
    title: 'DirectPlay games of DirectX 8 and 9',
    category: 'games',
    on: [udp('6073')],
    open: [udp('2302-2400'), udp('6073')],
    idle: '10m',
    source: 'Microsoft: DirectPlay 8 ports; IANA service name registry: directplay8',
  },
  {
    name: 'quake3-host',
    title: 'A Quake III server that calls its master',
    category: 'games',
    on: [udp('27950')],
    open: [udp('27960')],
    idle: '10m',
    note: 'the server reports to its master every five minutes, which keeps it open',
    source: 'ioquake3.org: system administrator guide',
  },
  {
    name: 'sip-phone',
    title: 'SIP phone',
    category: 'voip',
    on: [both('5060-5061')],
    open: [both('5060'), udp('16384-16482')],
    idle: '30m',
    note: 'the sound ports are those of Cisco and Linksys phones: set the same range in others, and a registration time below the idle time',
    source: 'Cisco SPA administration guide: RTP port min and max; RFC 3261',
  },
  {
    name: 'h323-room',
    title: 'H.323 video system with fixed ports',
    category: 'voip',
    on: [tcp('1720')],
    open: [tcp('3230-3235'), udp('3230-3253')],
    idle: '10m',
    note: 'turn fixed ports on in the system',
    source: 'Polycom HDX administrator guide: fixed ports',
  },
  {
    name: 'rtsp-udp',
    title: 'RTSP player with RTP over UDP',
    category: 'media',
    on: [tcp('554')],
    open: [udp('6970-6999')],
    idle: '5m',
    source: 'Apple: ports QuickTime uses for RTP',
  },
  {
    name: 'bittorrent',
    title: 'BitTorrent while it runs',
    category: 'torrents',
    on: [tcp('6881-6889,6969')],
    open: [both('6881-6889')],
    idle: '15m',
    source: 'BEP 3: the BitTorrent protocol',
  },
];

/** @throws SallyportError `not_found`, with the nearest name */
export const findTriggerPreset = (name: string): TriggerPreset => findNamed(triggerPresets, name, 'trigger preset');
