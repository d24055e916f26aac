// The same forward in the words of the tools people know.
import type { Forward, Listen, Mapping, SshForward, Trigger } from '../model/config.ts';
import { formatEndpoint } from '../model/endpoint.ts';
import { isSshForward, triggerSets } from '../model/kinds.ts';
import { type Transport, transports } from '../model/ports.ts';
import { shellQuote } from '../model/shell-words.ts';

const words = (...list: readonly (string | readonly string[])[]) => shellQuote(list.flat());

/** The command, or several lines of them, that would do what this forward does, as far as those tools can. */
export function commandOf(forward: Forward): string[] {
  if (isSshForward(forward)) return [sshCommand(forward)];
  return forward.kind === 'mapping' ? mappingCommands(forward) : [triggerCommand(forward)];
}

const listenSpec = (listen: Listen) => {
  if ('socket' in listen) return listen.socket;
  return listen.address === undefined
    ? String(listen.port)
    : formatEndpoint({ host: listen.address, port: listen.port });
};

function sshCommand(forward: SshForward): string {
  const ssh = forward.ssh ?? {};
  const flag = { local: '-L', remote: '-R', dynamic: '-D' }[forward.kind];
  const target = forward.kind === 'dynamic' || forward.target === undefined ? '' : `:${formatEndpoint(forward.target)}`;
  return words(
    ['ssh', '-N', flag, `${listenSpec(forward.listen)}${target}`],
    ssh.compression ? ['-C'] : [],
    ssh.jump === undefined ? [] : ['-J', ssh.jump],
    (ssh.identities ?? []).flatMap((file) => ['-i', file]),
    ssh.port === undefined ? [] : ['-p', String(ssh.port)],
    ssh.user === undefined ? [] : ['-l', ssh.user],
    ssh.configFile === undefined ? [] : ['-F', ssh.configFile],
    (ssh.options ?? []).flatMap((option) => ['-o', option]),
    forward.host,
  );
}

function mappingCommands(mapping: Mapping): string[] {
  const { listen, target } = mapping;
  const span = (listen.last ?? listen.port) - listen.port;
  const external = span > 0 ? `${listen.port}-${listen.port + span}` : String(listen.port);
  const internal = formatEndpoint({
    host: target.host,
    port: span > 0 ? `${target.port}-${target.port + span}` : target.port,
  });
  const source = mapping.allow?.length ? ` ip saddr { ${mapping.allow.join(', ')} }` : '';
  const bind = listen.address ?? '127.0.0.1';
  const where = bind === '*' ? '' : `,bind=${bind}`;
  const command = {
    nftables: (proto: Transport) =>
      `nft add rule ip nat prerouting${source} ${proto} dport ${external} dnat to ${internal}`,
    router: (proto: Transport) => words('upnpc', '-a', '@', String(target.port), String(listen.port), proto),
    relay: (proto: Transport) =>
      words(
        'socat',
        `${proto.toUpperCase()}-LISTEN:${listen.port},fork,reuseaddr${where}`,
        `${proto.toUpperCase()}:${internal}`,
      ),
  }[mapping.via];
  return transports(mapping.proto).map(command);
}

function triggerCommand(trigger: Trigger): string {
  const sets = (list: readonly { proto: string; ports: string }[]) =>
    list.map(({ proto, ports }) => `${proto}/${ports}`).join(',');
  return words(
    ['sallyport', 'trigger', trigger.name, '--on', sets(triggerSets(trigger.on)), '--open', sets(trigger.open)],
    ['--via', trigger.via, '--idle', trigger.idle],
    trigger.source === undefined ? [] : ['--source', trigger.source],
    trigger.second === 'last' ? ['--second', 'last'] : [],
    (trigger.from ?? []).flatMap((cidr) => ['--from', cidr]),
    (trigger.to ?? []).flatMap((cidr) => ['--to', cidr]),
    trigger.bind === undefined ? [] : ['--bind', trigger.bind],
    trigger.maxOpen === undefined ? [] : ['--max-open', trigger.maxOpen],
    trigger.closeFlows ? ['--close-flows'] : [],
    // without these it would let in more than the one it stands for
    (trigger.allow ?? []).flatMap((cidr) => ['--allow', cidr]),
    (trigger.deny ?? []).flatMap((cidr) => ['--deny', cidr]),
    trigger.maxFlows === undefined ? [] : ['--max-flows', String(trigger.maxFlows)],
    trigger.rate === undefined ? [] : ['--rate', String(trigger.rate)],
    trigger.idleFlow === undefined ? [] : ['--idle-flow', trigger.idleFlow],
  );
}
