import { type Family, parseAddress } from '../base/address.ts';
import { assert } from '../base/assert.ts';
import { type Endpoint, endpoint, endpointHost, endpointPort } from '../base/endpoint.ts';
import { type Range, rangeCidrs } from '../base/range.ts';
import { nftCounterName, RULE_COUNTER_NAMES } from './rule-counters.ts';

/** The packet rules of a node. */
export interface PacketRules {
  /** The TUN interface, `weft0`. */
  readonly tun: string;
  /** What the names of the pods' host ends begin with, `wv`. */
  readonly podPrefix: string;
  /** The cluster's pod ranges, disjoint, of either family or both. */
  readonly ranges: readonly Range[];
  /** Whether traffic of pods that leaves the cluster gets the node's address. */
  readonly masquerade: boolean;
  /** UDP and TCP port of the tunnels: masquerading gives it to no pod, and no pod reaches it on its own node. */
  readonly port: number;
}

const FIRST_UNPRIVILEGED_PORT = 1024;
const LAST_PORT = 65_535;

const PEER_SETS = [
  { family: 4, name: 'peers4', type: 'ipv4_addr' },
  { family: 6, name: 'peers6', type: 'ipv6_addr' },
] as const;
/** The elements of one of them in a listing, behind what comes before. */
const PEER_ELEMENTS = /(\tset peers[46] \{\n[^}]*?)\t\telements = \{([^}]*)\}\n/g;

/** The table that is ours alone. Nobody else's is ever read or changed. */
export const NFT_TABLE = 'inet weft';

/**
 * The whole table as one batch for `nft -f`, which the kernel puts in place of the old one in one step: there is no
 * moment without rules.
 *
 * What holds, for both families:
 * - A packet from or to a pod address comes in over a pod's veth or over the tunnel, else it is dropped: nobody on
 *   the underlay can inject one (CVE-2019-14899).
 * - A pod sends from its own addresses only: they lie in the pod ranges, and the way back to the source is the very
 *   interface. Each pod has routes of its own (/32, /128), so no rule names a pod and attaching one changes nothing
 *   here. The ranges are looked at first, because `fib` takes 0.0.0.0 and :: for right on any interface.
 * - A pod's router advertisements, redirects, neighbour discovery and DHCP answers go nowhere (CVE-2020-10749).
 *   Neighbours are set for good on both sides, so none of it is needed.
 * - The host's loopback addresses are out of reach, whatever route_localnet says (CVE-2020-8558).
 * - Out of the tunnel come pod addresses for pod addresses only (the datapath has checked the source already), and
 *   none that would go straight back: what is for a pod that is gone ends here, and does not circle.
 * - Nothing for a pod leaves the node but by the tunnel, whatever the routing table says: what has a pod address as its
 *   destination goes out over the tunnel, a pod's veth or the loopback, else it is dropped (chain `sealed`). That chain
 *   looks as late as can be, when every other program has chosen destination and interface, and it holds alike for what
 *   pods send, what the node sends itself and what was decrypted. What a pod sends to the rest of the world may leave
 *   by any interface, but with masquerading only with the node's address: what connection tracking would not translate
 *   (untracked or invalid packets, connections from before the rules) is dropped (chain `translated`).
 * - No pod reaches the tunnels' own port of this node, UDP and TCP, at any address of the node and by whatever name or
 *   translation it got there: those are for nodes (chain `enter`). What runs in the node's own namespace is no pod here.
 *   Nor those of other nodes: there it would come with this node's address, and use up what they keep for this node. So
 *   where the tunnels of peers end is kept in two sets (chain `pass`), which change as the peers do.
 * - TCP over the tunnel agrees on segments that fit.
 * - Traffic of pods that leaves the cluster is masqueraded (`masquerade`). What enters the tunnel from an address
 *   that is not a pod's gets the node's overlay address, or the far end would drop it. The tunnels' own port is never
 *   given out: a pod that had it would receive what peers send to this node.
 *
 * A pod's veth is known by its name and by being a veth: another program's interface may be called like one (`wvpn0`), and is
 * to carry nothing for pods. `kinds` false: by its name alone, for kernels that do not tell the kind (before 5.6).
 *
 * What arrives is dropped at priority raw, before connection tracking: refused packets cost no entry.
 */
export function renderRules(rules: PacketRules, { kinds = true } = {}): string {
  for (const name of [rules.tun, rules.podPrefix]) {
    assert(
      /^[A-Za-z0-9_-]{1,15}$/.test(name),
      'interface names hold no characters that mean something to nft',
    );
  }
  const tun = `"${rules.tun}"`;
  const podEnd = (way: 'iif' | 'oif'): string =>
    `${way}name "${rules.podPrefix}*"${kinds ? ` meta ${way}kind "veth"` : ''}`;
  const fromPods = podEnd('iif');
  const toPods = podEnd('oif');
  return `table ${NFT_TABLE}
delete table ${NFT_TABLE}
table ${NFT_TABLE} {
${RULE_COUNTER_NAMES.map((name) => `  counter ${nftCounterName(name)} {}`).join('\n')}

${addressSet(4, rules.ranges)}
${addressSet(6, rules.ranges)}
${PEER_SETS.map(({ name, type }) => `  set ${name} { type ${type} . inet_service; }`).join('\n')}

  chain arrive {
    type filter hook prerouting priority raw; policy accept;
    iifname "lo" accept
    ${fromPods} goto fromPod
    iifname ${tun} goto fromTunnel
    ip saddr @pods4 counter name dropForeign drop
    ip daddr @pods4 counter name dropForeign drop
    ip6 saddr @pods6 counter name dropForeign drop
    ip6 daddr @pods6 counter name dropForeign drop
  }

  chain fromPod {
    icmp type { redirect, router-advertisement } counter name dropPodControl drop
    icmpv6 type { nd-router-advert, nd-redirect, nd-neighbor-solicit, nd-neighbor-advert } counter name dropPodControl drop
    udp sport 67 udp dport 68 counter name dropPodControl drop
    udp sport 547 udp dport 546 counter name dropPodControl drop
    icmpv6 type { nd-router-solicit, mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } counter name dropPodControl drop
    ip saddr != @pods4 counter name dropSpoofed drop
    ip6 saddr != @pods6 counter name dropSpoofed drop
    fib saddr . iif oif missing counter name dropSpoofed drop
    ip daddr 127.0.0.0/8 counter name dropLoopback drop
    ip6 daddr ::1 counter name dropLoopback drop
  }

  chain fromTunnel {
    ip saddr != @pods4 counter name dropTunnel drop
    ip daddr != @pods4 counter name dropTunnel drop
    ip6 saddr != @pods6 counter name dropTunnel drop
    ip6 daddr != @pods6 counter name dropTunnel drop
    fib daddr oifname ${tun} counter name dropTunnel drop
  }

  chain enter {
    type filter hook input priority filter; policy accept;
    ${fromPods} meta l4proto { tcp, udp } th dport ${rules.port} counter name dropOwnPort drop
    iifname ${tun} meta l4proto { tcp, udp } th dport ${rules.port} counter name dropOwnPort drop
  }

  chain pass {
    type filter hook forward priority filter; policy accept;
    oifname ${tun} accept
    ${toPods} accept
    ${fromPods} meta l4proto { tcp, udp } ip daddr . th dport @peers4 counter name dropPeerPort drop
    ${fromPods} meta l4proto { tcp, udp } ip6 daddr . th dport @peers6 counter name dropPeerPort drop
  }

  chain clamp {
    type filter hook forward priority mangle; policy accept;
    oifname ${tun} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    iifname ${tun} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
  }

  chain sealed {
    type filter hook postrouting priority srcnat - 1; policy accept;
    oifname { "lo", ${tun} } accept
    ${toPods} accept
    ip daddr @pods4 goto inClear
    ip6 daddr @pods6 goto inClear
  }

  chain inClear {
    iif 0 counter name dropClearHost drop
    iifname ${tun} counter name dropClearTunnel drop
    counter name dropClearForwarded drop
  }

  chain leave {
    type nat hook postrouting priority srcnat; policy accept;
    oifname ${tun} ip saddr != @pods4 masquerade
    oifname ${tun} ip6 saddr != @pods6 masquerade
${rules.masquerade ? masqueradeLeaving(tun, toPods, rules.port) : ''}  }
${rules.masquerade ? translated(tun, toPods) : ''}}
`;
}

/** The batch that has the table of {@link renderRules} know where the tunnels of peers end; it fails where there is none. */
export function renderPeerPorts(peers: readonly Endpoint[]): string {
  const lines: string[] = [];
  for (const { name, family } of PEER_SETS) {
    const elements = peers.map(elementOf).filter((text) => text.includes(':') === (family === 6));
    lines.push(`flush set ${NFT_TABLE} ${name}`);
    if (elements.length > 0) lines.push(`add element ${NFT_TABLE} ${name} { ${elements.join(', ')} }`);
  }
  return `${lines.join('\n')}\n`;
}

/** The table as nft lists it, taken apart: what does not change, and where the tunnels of peers end. */
export function splitListing(listing: string): {
  readonly rules: string;
  readonly peers: readonly Endpoint[];
} {
  const peers: Endpoint[] = [];
  const rules = listing.replace(PEER_ELEMENTS, (_, before: string, elements: string) => {
    for (const element of elements.split(',')) {
      const [host = '', port] = element.trim().split(' . ');
      const address = parseAddress(host);
      if (address) peers.push(endpoint(address, Number(port)));
    }
    return before;
  });
  return { rules, peers };
}

/** The batch that removes the table; it succeeds where there is none. */
export function renderRemoval(): string {
  return `table ${NFT_TABLE}\ndelete table ${NFT_TABLE}\n`;
}

/** A packet for the node itself never comes here, so node-local traffic keeps its source. */
function masqueradeLeaving(tun: string, toPods: string, port: number): string {
  const ports = `meta l4proto { tcp, udp } masquerade to :${portsWithout(port)}`;
  return `    oifname { "lo", ${tun} } accept
    ${toPods} accept
    ip saddr @pods4 ip daddr != @pods4 ${ports}
    ip saddr @pods4 ip daddr != @pods4 masquerade
    ip6 saddr @pods6 ip6 daddr != @pods6 ${ports}
    ip6 saddr @pods6 ip6 daddr != @pods6 masquerade
`;
}

/** Behind all address translation, which the kernel does at srcnat whoever asked for it. */
function translated(tun: string, toPods: string): string {
  return `
  chain translated {
    type filter hook postrouting priority srcnat + 1; policy accept;
    oifname { "lo", ${tun} } accept
    ${toPods} accept
    ip saddr @pods4 counter name dropNotMasqueraded drop
    ip6 saddr @pods6 counter name dropNotMasqueraded drop
  }
`;
}

/** The larger part of the unprivileged ports that `port` leaves in one piece, as nft writes it. */
function portsWithout(port: number): string {
  const above = LAST_PORT - Math.max(port, FIRST_UNPRIVILEGED_PORT - 1);
  const below = port - FIRST_UNPRIVILEGED_PORT;
  return above >= below
    ? `${Math.max(port + 1, FIRST_UNPRIVILEGED_PORT)}-${LAST_PORT}`
    : `${FIRST_UNPRIVILEGED_PORT}-${port - 1}`;
}

function elementOf(peer: Endpoint): string {
  return `${endpointHost(peer)} . ${endpointPort(peer)}`;
}

function addressSet(family: Family, ranges: readonly Range[]): string {
  const blocks = ranges.filter((range) => range.family === family).flatMap(rangeCidrs);
  const elements = blocks.length > 0 ? `; elements = { ${blocks.join(', ')} }` : '';
  return `  set pods${family} { type ${family === 4 ? 'ipv4_addr' : 'ipv6_addr'}; flags interval; auto-merge${elements} }`;
}
