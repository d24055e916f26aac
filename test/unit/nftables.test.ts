import { describe, expect, test } from 'vitest';
import { checkRules } from '../../src/gateways/nftables/check-rules.ts';
import { connectionOwners, parseConnection, payloadBytes } from '../../src/gateways/nftables/conntrack.ts';
import {
  dropsTheRest,
  foreignForwardChains,
  forwardObstacle,
  letsThrough,
  passLine,
} from '../../src/gateways/nftables/forward-chains.ts';
import { kernelConflict } from '../../src/gateways/nftables/kernel-conflict.ts';
import { legacyChain } from '../../src/gateways/nftables/legacy-chains.ts';
import { configMark, deltaText, RulesetBuilder } from '../../src/gateways/nftables/ruleset.ts';
import { shownAt } from '../../src/gateways/nftables/shown.ts';
import { networksOf } from '../../src/gateways/nftables/values.ts';
import { rule } from '../support/nftables.ts';

describe('connections as conntrack lists them', () => {
  const tcp =
    'ipv4     2 tcp      6 431999 ESTABLISHED src=203.0.113.9 dst=80.100.100.1 sport=40000 dport=8080 packets=10 bytes=1000 ' +
    'src=192.168.77.10 dst=203.0.113.9 sport=80 dport=40000 packets=8 bytes=9000 [ASSURED] mark=0 use=1 id=2683207521';
  const udp =
    'ipv6     10 udp      17 29 src=2001:0db8:0000:0000:0000:0000:0000:0002 dst=2001:db8::1 sport=5 dport=53 [UNREPLIED] ' +
    'src=2001:db8::1 dst=2001:db8::2 sport=53 dport=5 mark=0 use=1 id=7';

  test('with counters, without, and in the other spelling of IPv6', () => {
    expect(parseConnection(tcp)).toMatchObject({
      id: '2683207521',
      family: 'ipv4',
      proto: 'tcp',
      state: 'ESTABLISHED',
      original: { src: '203.0.113.9', dport: 8080, packets: 10, bytes: 1000 },
      reply: { src: '192.168.77.10', sport: 80, packets: 8, bytes: 9000 },
    });
    expect(parseConnection(udp)).toMatchObject({
      proto: 'udp',
      state: null,
      original: { src: '2001:db8::2', dst: '2001:db8::1', packets: 0 },
    });
    expect(
      parseConnection('ipv4 2 icmp 1 29 src=1.1.1.1 dst=2.2.2.2 type=8 code=0 id=1 src=2.2.2.2 dst=1.1.1.1 id=1'),
    ).toBeNull();
    expect(parseConnection('')).toBeNull();
  });

  test('belong to the mapping of their first packet, if they were translated', () => {
    const owner = connectionOwners([
      rule('web', 8080, 80),
      rule('dns', 53, 53, { proto: 'udp', internal: { address: '2001:db8::9', first: 53 } }),
    ]);
    const parsed = [tcp, udp].map((line) => parseConnection(line));
    expect(parsed.map((one) => one && owner(one)?.owner)).toEqual(['web', undefined]);
  });

  test('bytes are payload', () => {
    expect(payloadBytes('ipv4', 'tcp', { packets: 3, bytes: 60 + 52 + 552 }, 1)).toBe(500);
    expect(payloadBytes('ipv6', 'udp', { packets: 2, bytes: 96 + 20 }, 1)).toBe(20);
    expect(payloadBytes('ipv4', 'tcp', { packets: 1, bytes: 40 }, 0)).toBe(0);
  });
});

describe('a mapping over a port of this machine', () => {
  const sshd = { proto: 'tcp', address: '0.0.0.0', port: 22, program: 'sshd', pid: 812 } as const;
  const at = (address: string | null, first: number, last = first, inside = '') =>
    ({ proto: 'tcp', external: { address, first, last }, internal: { address: inside, first } }) as const;

  test('is refused with the holder, ranges as well', () => {
    expect(kernelConflict(at(null, 22), [sshd])).toMatchObject({
      code: 'port_taken',
      message: expect.stringContaining('sshd (pid 812)'),
      hint: expect.stringContaining('--force'),
    });
    expect(kernelConflict(at('203.0.113.1', 1, 1024), [sshd])).not.toBeNull();
    expect(kernelConflict(at(null, 22), [{ ...sshd, address: '192.168.1.1', program: null }])?.message).toContain(
      'another program',
    );
  });

  test('passes where nothing is shadowed', () => {
    expect(kernelConflict(at(null, 23), [sshd])).toBeNull();
    expect(kernelConflict(at(null, 22), [{ ...sshd, proto: 'udp' }])).toBeNull();
    expect(
      kernelConflict(at(null, 22), [
        { ...sshd, address: '127.0.0.1' },
        { ...sshd, address: '::1' },
      ]),
    ).toBeNull();
    expect(kernelConflict(at('203.0.113.1', 22), [{ ...sshd, address: '192.168.1.1' }])).toBeNull();
    expect(kernelConflict(at('2001:db8::1', 22), [sshd])).toBeNull();
  });

  test('is not to be forced where a trigger would open it', () => {
    const refusal = kernelConflict(at(null, 22), [sshd], 'trigger')?.failure;
    expect(refusal?.message).toContain('the trigger would shadow it');
    expect(refusal?.hint).not.toContain('--force');
  });

  test('is within one family, that of its host where it names no outer address', () => {
    expect(kernelConflict(at(null, 22, 22, '2001:db8::20'), [sshd])).toBeNull();
    expect(kernelConflict(at(null, 22, 22, '192.168.1.20'), [{ ...sshd, address: '2001:db8::1' }])).toBeNull();
    expect(kernelConflict(at(null, 22, 22, '2001:db8::20'), [{ ...sshd, address: '::' }])).not.toBeNull();
    expect(kernelConflict(at(null, 22, 22, '192.168.1.20'), [{ ...sshd, address: '::' }])).not.toBeNull();
  });
});

describe('rules', () => {
  test('one bad rule takes its owner out, whoever came first stays', () => {
    const { accepted, refused } = checkRules([
      rule('a', 80, 80),
      rule('b', 81, 80),
      rule('b', 80, 80),
      rule('c', 80, 80, { proto: 'udp' }),
      rule('d', 80, 80, { internal: { address: '2001:db8::1', first: 80 } }),
      rule('e', 70, 70, { external: { address: '203.0.113.1', first: 70, last: 80 } }),
      rule('f', 0, 80),
      rule('g', 65_000, 65_000, { external: { address: null, first: 65_000, last: 70_000 } }),
      rule('h', 90, 65_535, { external: { address: null, first: 90, last: 91 } }),
      rule('i', 92, 80, { allow: ['nonsense'] }),
      rule('j', 93, 80, { helper: 'no"; drop' }),
      rule('k', 94, 80, { internal: { address: '1.2.3.4; drop', first: 80 } }),
    ]);
    expect(accepted.map(({ owner }) => owner)).toEqual(['a', 'c', 'd']);
    expect([...refused].map(([owner, { code }]) => `${owner} ${code}`)).toEqual([
      'b conflict',
      'e conflict',
      'f bad_value',
      'g bad_value',
      'h bad_value',
      'i bad_value',
      'j unsupported',
      'k bad_value',
    ]);
  });

  test('are shown by place', () => {
    expect(shownAt([rule('a', 80, 80), rule('a', 80, 80, { proto: 'udp' })])).toBe('both/0.0.0.0:80');
    expect(shownAt([rule('a', 1, 1, { external: { address: '::1', first: 1, last: 9 } })])).toBe('tcp/[::1]:1-9');
  });

  test('lists lose what lies inside another entry, and host bits', () => {
    expect(networksOf(['10.1.2.3/8', '10.1.0.0/16', '1.1.1.1', '2001:db8::5/32'], 'ipv4')).toEqual([
      '10.0.0.0/8',
      '1.1.1.1/32',
    ]);
    expect(networksOf(['2001:db8::5/33'], 'ipv6')).toEqual(['2001:db8::/33']);
  });
});

describe('forward chains of others', () => {
  const chain = { family: 'ip', table: 'filter', name: 'FORWARD', policy: 'accept' };
  const table = (rules: string, more = '') =>
    `table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy accept;\n${rules}\t}\n${more}}\n`;

  test('are found by hook, ours left out', () => {
    const objects = [
      { chain: { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', policy: 'drop' } },
      { chain: { family: 'inet', table: 'sallyport_a', name: 'forward', hook: 'forward', policy: 'accept' } },
      { chain: { family: 'ip', table: 'filter', name: 'INPUT', hook: 'input', policy: 'drop' } },
    ];
    expect(foreignForwardChains(objects, /^sallyport_/)).toEqual([{ ...chain, policy: 'drop' }]);
  });

  test('drop by policy, or by a last rule that takes the rest', () => {
    expect(dropsTheRest({ ...chain, policy: 'drop' }, table(''))).toBe(true);
    expect(dropsTheRest(chain, table('\t\tct state established accept\n\t\tcounter packets 1 bytes 2 drop\n'))).toBe(
      true,
    );
    expect(dropsTheRest(chain, table('\t\treject with icmpx admin-prohibited\n'))).toBe(true);
    expect(dropsTheRest(chain, table('\t\tct state invalid drop\n'))).toBe(false);
    expect(dropsTheRest(chain, table(''))).toBe(false);
  });

  test('of the older iptables are read from its own listing', () => {
    const docker = ['-P INPUT ACCEPT', '-P FORWARD DROP', '-N DOCKER-USER', '-A FORWARD -j DOCKER-USER'];
    const obstacle = (...lines: string[]) => {
      const found = legacyChain('ip', [...docker, ...lines, ''].join('\n'));
      return found === null ? null : forwardObstacle([found], ['192.168.1.2']);
    };
    expect(obstacle('-A DOCKER-USER -j RETURN')).toEqual({
      code: 'gateway_failed',
      message: 'chain FORWARD of table ip filter (iptables-legacy) drops forwarded connections',
      hint: 'iptables-legacy -I DOCKER-USER -m conntrack --ctstate DNAT -j ACCEPT',
    });
    expect(obstacle('-A DOCKER-USER -m conntrack --ctstate DNAT -j ACCEPT')).toBeNull();
    expect(obstacle('-A DOCKER-USER -d 192.168.1.2/32 -p tcp -j ACCEPT')).toBeNull();
    expect(obstacle('-A DOCKER-USER -d 192.168.1.20/32 -p tcp -j ACCEPT')).not.toBeNull();
    expect(legacyChain('ip', '-P FORWARD ACCEPT\n-A FORWARD -i eth0 -j DROP\n')).toBeNull();
    expect(legacyChain('ip6', '-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with x\n')?.chain).toMatchObject({
      family: 'ip6',
    });
  });

  test('let through what was translated, or the very target', () => {
    expect(letsThrough(table('\t\tct status dnat accept\n'), ['192.168.1.2'])).toBe(true);
    expect(letsThrough(table('\t\tip daddr 192.168.1.2 tcp dport 80 accept\n'), ['192.168.1.2'])).toBe(true);
    expect(letsThrough(table('\t\tip daddr 192.168.1.20 accept\n'), ['192.168.1.2'])).toBe(false);
    expect(letsThrough(table('\t\tct status dnat drop\n'), ['192.168.1.2'])).toBe(false);
  });

  test('get the line their owner would write', () => {
    expect(passLine(chain, table('', '\tchain DOCKER-USER {\n\t}\n'), [])).toContain('iptables -I DOCKER-USER');
    expect(passLine(chain, table('', '\tchain ufw-before-forward {\n\t}\n'), ['10.0.0.2'])).toBe(
      'ufw route allow to 10.0.0.2',
    );
    expect(passLine({ family: 'inet', table: 'fw', name: 'fwd', policy: 'drop' }, '', [])).toBe(
      'nft insert rule inet fw fwd ct status dnat accept',
    );
  });
});

describe('the smallest change from one table to another', () => {
  const table = (...ports: number[]) => {
    const built = new RulesetBuilder().add('map', 'm', 'type inet_service : verdict');
    for (const port of ports) built.chain(`c${port}`, ['accept']).element('m', String(port), `jump c${port}`);
    return built;
  };

  test('is nothing when nothing changes', () => {
    expect(deltaText('t', table(1, 2), table(1, 2))).toBe('');
    expect(configMark(table(1, 2))).toBe(configMark(table(2, 1)));
    expect(configMark(table(1))).not.toBe(configMark(table(2)));
  });

  test('takes elements before what they point to, and brings them after', () => {
    const lines = deltaText('t', table(1, 2), table(2, 3))
      .split('\n')
      .filter((line) => /^(add|delete|flush)/.test(line));
    expect(lines.slice(0, 3)).toEqual([
      'delete element inet t m { 1 }',
      'flush chain inet t c1',
      'delete chain inet t c1',
    ]);
    expect(lines[3]).toBe('add element inet t m { 3 : jump c3 }');
  });

  test('writes rules again that mention what is made anew', () => {
    const sized = (size: number) =>
      new RulesetBuilder()
        .add('set', 's', `type ipv4_addr; size ${size}`)
        .chain('user', ['ip saddr @s accept'])
        .chain('other', ['accept']);
    const text = deltaText('t', sized(1), sized(2));
    expect(text).toContain('flush chain inet t user\ndelete set inet t s\n');
    expect(text).toContain('ip saddr @s accept');
    expect(text).not.toContain('other');
  });
});
