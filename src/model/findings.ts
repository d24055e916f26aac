import type { FindingLevel } from './reports.ts';

interface Finding {
  readonly level: FindingLevel;
  /** What is wrong, one clause. */
  readonly message: string;
  /** What to do about it, one clause. */
  readonly advice: string;
}

/** Everything the audit can find. Of several findings about a port the worst is shown, the first here among equals. */
export const findings = {
  socks_open: {
    level: 'high',
    message: 'a SOCKS server without a password beyond this machine',
    advice: 'give it a login, or bind it to 127.0.0.1',
  },
  sensitive_world: {
    level: 'high',
    message: 'a service that should never face the world is open to it without a source list',
    advice: 'name who may connect with --allow, or bind it to an inside address',
  },
  socks_listed: {
    level: 'medium',
    message: 'a SOCKS server without a password, kept by its source list alone',
    advice: 'give it a login as well',
  },
  target_silent: {
    level: 'medium',
    message: 'leads to nothing: the target does not answer',
    advice: 'start the target, or take the forward down',
  },
  open_to_world: {
    level: 'medium',
    message: 'open to the world without a source list',
    advice: 'name who may connect with --allow, or bind it to an inside address',
  },
  router_expired: {
    level: 'medium',
    message: 'its time is over, but the router still maps it',
    advice: 'delete the mapping on the router (sallyport router)',
  },
  router_leftover: {
    level: 'medium',
    message: 'a mapping of ours on the router that no forward asks for any more',
    advice: 'delete the mapping on the router (sallyport router)',
  },
  router_foreign: {
    level: 'medium',
    message: 'a mapping on the router that sallyport does not manage',
    advice: 'find out who asked for it; sallyport router can delete it',
  },
  router_open: {
    level: 'medium',
    message: 'the router lets the whole world in; it cannot enforce a source list',
    advice: 'take it down when it is not needed, or give it a time with --for',
  },
  shadowed: {
    level: 'medium',
    message: 'a kernel mapping takes this port away from the program that listens on it',
    advice: 'move the mapping or the program to another port',
  },
  unmanaged_world: {
    level: 'medium',
    message: 'a listener nobody manages, on every address',
    advice: 'bind it to an inside address, or publish it through a mapping with a source list',
  },
  sshd_forward: {
    level: 'medium',
    message: "a client's -R forward, held by sshd, beyond this machine",
    advice: 'set GatewayPorts no, or limit it with PermitListen',
  },
  rule_shadowed: {
    level: 'low',
    message: 'every allowed network is denied as well, so nobody gets in',
    advice: 'mend the lists',
  },
  router_silent: {
    level: 'low',
    message: 'the router leads here to a port nobody listens on',
    advice: 'start the service, or delete the mapping',
  },
  sensitive_lan: {
    level: 'low',
    message: 'a sensitive service open to the whole LAN',
    advice: 'name who may connect with --allow',
  },
  unmanaged_lan: {
    level: 'low',
    message: 'a listener nobody manages, open to the LAN',
    advice: 'bind it to 127.0.0.1 if only this machine needs it',
  },
  ssh_server: {
    level: 'low',
    message: 'the SSH server of this machine, as a jump server has one',
    advice: 'keep it up to date and without passwords',
  },
  client_socket: {
    level: 'low',
    message: 'a UDP port of the range client programs use, most likely waiting for an answer',
    advice: 'nothing, unless it stays for long',
  },
} as const satisfies Record<string, Finding>;

export type FindingCode = keyof typeof findings;

/**
 * Ports whose services trust whoever reaches them, or are attacked as soon as they are seen: Telnet, SMB, databases
 * and caches, remote desktops, management interfaces.
 */
const sensitivePorts: ReadonlySet<number> = new Set([
  23, 69, 111, 135, 137, 138, 139, 161, 389, 445, 512, 513, 514, 623, 873, 1433, 1521, 2049, 2181, 2375, 2379, 2380,
  3260, 3306, 3389, 5432, 5555, 5672, 5900, 5901, 5902, 5903, 5984, 5985, 5986, 6000, 6379, 6443, 8086, 8291, 8728,
  9042, 9092, 9200, 9300, 10_250, 11_211, 15_672, 27_017,
]);

export function isSensitivePort(port: number): boolean {
  return sensitivePorts.has(port);
}
