import assert from 'node:assert/strict';
import { parseEndpoint } from '../../../base/endpoint.ts';
import { parseCidr } from '../../../base/range.ts';
import { renderPeerPorts, renderRemoval, renderRules, splitListing } from '../../../linux/nftables.ts';

const rules = {
  tun: 'weft0',
  podPrefix: 'wv',
  ranges: [parseCidr('10.32.0.0/12')!],
  masquerade: true,
  port: 6783,
};

describe('the packet rules', () => {
  it('replace the whole table and no other, in one batch', () => {
    const lines = renderRules(rules).split('\n');
    assert.deepEqual(lines.slice(0, 3), ['table inet weft', 'delete table inet weft', 'table inet weft {']);
    assert.equal(renderRules(rules).match(/^table|^delete|flush/gm)?.length, 3);
    assert.equal(renderRemoval(), 'table inet weft\ndelete table inet weft\n');
  });

  it('hold every block of every range in the set of its family', () => {
    const ranges = [
      parseCidr('10.32.0.0/12')!,
      parseCidr('fd00:77::/64')!,
      { family: 4, start: 1n, end: 4n } as const,
    ];
    const text = renderRules({ ...rules, ranges });
    assert.match(text, /set pods4 \{.*elements = \{ 10\.32\.0\.0\/12, 0\.0\.0\.1\/32, 0\.0\.0\.2\/31 \}/);
    assert.match(text, /set pods6 \{.*elements = \{ fd00:77::\/64 \}/);
    assert.match(renderRules(rules), /set pods6 \{ type ipv6_addr; flags interval; auto-merge \}/);
  });

  it('drop before they count connections, and check both families alike', () => {
    const text = renderRules(rules);
    assert.match(text, /type filter hook prerouting priority raw;/);
    const drops = text.split('\n').filter((line) => line.endsWith('drop'));
    const of = (family: string): string[] =>
      drops
        .filter((line) => line.includes(` ${family} `))
        .map((line) => line.replace(/ip6?|(?:pods|peers)[46]/g, ''));
    const specific = /127|::1/;
    assert.deepEqual(
      of('ip').filter((line) => !specific.test(line)),
      of('ip6').filter((line) => !specific.test(line)),
    );
  });

  it('masquerade what leaves the cluster only where that is wanted', () => {
    assert.match(renderRules(rules), /ip saddr @pods4 ip daddr != @pods4 masquerade/);
    assert.doesNotMatch(renderRules({ ...rules, masquerade: false }), /saddr @pods[46] .*masquerade/);
  });

  it('let nothing for a pod out but by the tunnel, before its source is translated', () => {
    const text = renderRules({ ...rules, masquerade: false });
    const sealed = /chain sealed \{[^}]*\{[^}]*\}[^}]*\}/.exec(text)![0];
    assert.match(sealed, /type filter hook postrouting priority srcnat - 1;/);
    assert.match(
      sealed,
      /oifname \{ "lo", "weft0" \} accept\n\s+oifname "wv\*" meta oifkind "veth" accept\n/,
    );
    assert.match(sealed, /ip daddr @pods4 goto inClear\n\s+ip6 daddr @pods6 goto inClear/);
    const inClear = /chain inClear \{([^}]*)\}/.exec(text)![1]!;
    assert.match(
      inClear.trim(),
      /\n\s+counter name dropClearForwarded drop$/,
      'whatever it is, it is dropped',
    );
  });

  it('let pods out with their own address only where masquerading is off', () => {
    assert.match(renderRules(rules), /priority srcnat \+ 1;[^}]*\}[^}]*ip saddr @pods4 counter \S+ \S+ drop/);
    assert.doesNotMatch(renderRules({ ...rules, masquerade: false }), /srcnat \+ 1/);
  });

  it("never give the tunnels' port to a pod", () => {
    for (const [port, ports] of [
      [6783, '6784-65535'],
      [51820, '1024-51819'],
      [443, '1024-65535'],
      [1024, '1025-65535'],
      [65535, '1024-65534'],
    ] as const) {
      const masquerades = renderRules({ ...rules, port }).match(/masquerade to :\S+/g);
      assert.deepEqual(masquerades, [`masquerade to :${ports}`, `masquerade to :${ports}`]);
    }
  });

  it('let no pod reach the port of the tunnels on this node, of any node, over both protocols', () => {
    const enter = /chain enter \{([^}]*(?:\{[^}]*\}[^}]*)*)\n {2}\}/.exec(
      renderRules({ ...rules, port: 7000 }),
    )![1]!;
    assert.deepEqual(
      enter
        .trim()
        .split('\n')
        .map((line) => line.trim()),
      [
        'type filter hook input priority filter; policy accept;',
        'iifname "wv*" meta iifkind "veth" meta l4proto { tcp, udp } th dport 7000 counter name dropOwnPort drop',
        'iifname "weft0" meta l4proto { tcp, udp } th dport 7000 counter name dropOwnPort drop',
      ],
    );
  });

  it("know a pod's end by its name and its kind, and where kernels do not tell the kind by its name", () => {
    const named = (text: string): string[] => text.split('\n').filter((line) => line.includes('wv*'));
    for (const line of named(renderRules(rules)))
      assert.match(line, /(i|o)ifname "wv\*" meta \1ifkind "veth" /);
    const byName = renderRules(rules, { kinds: false });
    assert.equal(byName, renderRules(rules).replaceAll(/ meta [io]ifkind "veth"/g, ''));
  });

  it('are told where tunnels of peers end, each family in its set, and that there are none', () => {
    const peers = ['192.0.2.7:6783', '[2001:db8::7]:7000', '192.0.2.8:9'].map((text) => parseEndpoint(text)!);
    assert.deepEqual(renderPeerPorts(peers).split('\n'), [
      'flush set inet weft peers4',
      'add element inet weft peers4 { 192.0.2.7 . 6783, 192.0.2.8 . 9 }',
      'flush set inet weft peers6',
      'add element inet weft peers6 { 2001:db8::7 . 7000 }',
      '',
    ]);
    assert.equal(renderPeerPorts([]), 'flush set inet weft peers4\nflush set inet weft peers6\n');
  });

  it('are listed with the peers, which are taken out of the listing', () => {
    const listing = (four: string, six: string): string =>
      'table inet weft {\n\tset pods4 {\n\t\ttype ipv4_addr\n\t\telements = { 10.32.0.0/13 }\n\t}\n\n' +
      `\tset peers4 {\n\t\ttype ipv4_addr . inet_service\n${four}\t}\n\n` +
      `\tset peers6 {\n\t\ttype ipv6_addr . inet_service\n${six}\t}\n}\n`;
    const none = listing('', '');
    assert.deepEqual(splitListing(none), { rules: none, peers: [] });
    const four = '\t\telements = { 192.0.2.7 . 6783,\n\t\t\t     192.0.2.8 . 9 }\n';
    const both = listing(four, '\t\telements = { 2001:db8::7 . 7000 }\n');
    assert.deepEqual(splitListing(both), {
      rules: none,
      peers: ['192.0.2.7:6783', '192.0.2.8:9', '[2001:db8::7]:7000'],
    });
  });

  it('take no interface name that could say something else', () => {
    for (const tun of ['', 'a"b', 'a;b', 'a b', 'sixteen-letters-']) {
      assert.throws(() => renderRules({ ...rules, tun }), /interface names/);
    }
  });
});
