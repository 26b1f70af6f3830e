import { type CounterTable, drops } from '../base/counters.ts';

/**
 * What the packet rules count: packets that the kernel dropped since the rules were last set. The kernel holds them,
 * in its named counters; they are read when somebody asks (nftables.io.ts).
 */
export const RULE_COUNTERS = {
  'rules.dropForeign': drops(
    'packet',
    'Packets from or to pod addresses that came over neither a pod nor the tunnel: injected from outside, or sent to a pod by a host that is not of the cluster.',
  ),
  'rules.dropSpoofed': drops('packet', 'Packets of pods with a source address that is not theirs.'),
  'rules.dropPodControl': drops(
    'packet',
    'Router advertisements, redirects, neighbour discovery and DHCP answers of pods, by which a pod could draw the traffic of others to itself. Routine questions of pods for a router are among them.',
  ),
  'rules.dropTunnel': drops(
    'packet',
    'Packets out of the tunnel that are not from a pod to a pod, or are for a pod that is gone.',
  ),
  'rules.dropLoopback': drops('packet', "Packets of pods to the host's loopback addresses."),
  'rules.dropOwnPort': drops(
    'packet',
    "Packets of pods to the port of this node's tunnels and control links (6783), which only nodes have to reach.",
  ),
  'rules.dropPeerPort': drops(
    'packet',
    'Packets of pods to the ports of tunnels and control links of other nodes, where they would come as from this node.',
  ),
  'rules.dropClearForwarded': drops(
    'packet',
    'Packets to pods that would have left the node unencrypted, because another program changed routes or rules.',
  ),
  'rules.dropClearHost': drops(
    'packet',
    'Packets of the node itself to pods that would have left it unencrypted, because another program changed routes or rules.',
  ),
  'rules.dropClearTunnel': drops(
    'packet',
    'Packets out of the tunnel that would have left the node again unencrypted, because another program changed routes or rules.',
  ),
  'rules.dropNotMasqueraded': drops(
    'packet',
    "Packets of pods to the world that would have left without the node's address: of connections that the kernel does not track.",
  ),
} as const satisfies CounterTable;

/** A name that the packet rules count under. */
export type RuleCounter = keyof typeof RULE_COUNTERS;

/** All of them, in the order of the table. */
export const RULE_COUNTER_NAMES = Object.keys(RULE_COUNTERS) as RuleCounter[];

/** The name of a counter in nft: `dropForeign`, as `nft list counters` shows it. */
export function nftCounterName(counter: RuleCounter): string {
  return counter.slice(counter.indexOf('.') + 1);
}
