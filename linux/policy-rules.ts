import type { Family } from '../base/address.ts';
import { type CounterTable, drops } from '../base/counters.ts';

/**
 * How the rules of a policy are written for nft.
 *
 * A packet is judged by its flow: by the addresses and the port that connection tracking noted, not by its headers. So
 * the same rule holds for a request, for its answer, and for the ICMP error that belongs to either. In a flow from C to S
 *
 *     original tuple: C → S, or the Service that S stands behind       ct original ip saddr    C
 *     reply tuple:    S → C, or the node where C is masqueraded        ct reply ip saddr       S
 *                                                                      ct reply proto-src      the port of S
 *
 * An entry that began without SYN may have its roles exchanged. It is judged a second time, the view turned: as if the
 * flow went from S to C.
 */
export type View = 'straight' | 'turned';

/** Which way a rule looks, from the pod that it is about. */
export type Way = 'ingress' | 'egress';

/** A protocol with ports, as nft calls it. */
export type PortProtocol = 'tcp' | 'udp' | 'sctp';

/** Its number as a protocol (RFC 4302); its name stands in /etc/protocols, which the image has not. */
const AUTHENTICATION_HEADER = 51;

/** The condition that the other end lies in a set of addresses. */
export function peerIn(way: Way, view: View, family: Family, set: string): string {
  return `${peerOf(way, view, family)} @${set}`;
}

/** The condition that the other end lies in `range`, a CIDR, and that the set of those that are known there lacks it. */
export function peerUnknown(
  way: Way,
  view: View,
  { family, range, known }: { readonly family: Family; readonly range: string; readonly known: string },
): string {
  const peer = peerOf(way, view, family);
  return `${peer} ${range} ${peer} != @${known}`;
}

function peerOf(way: Way, view: View, family: Family): string {
  const tuple = (way === 'ingress') === (view === 'straight') ? 'original' : 'reply';
  return `ct ${tuple} ${family === 4 ? 'ip' : 'ip6'} saddr`;
}

/**
 * The conditions, one of which holds where the destination port of a flow of `protocol` is one of `ports`: a number, a
 * range, or `@` and the name of a set; undefined for every port. ICMP errors are told by the protocol of their flow. So is
 * what comes behind an authentication header: in IPv6 connection tracking reads over it, and nft stops there. nft knows
 * the type of a port only right behind the protocol of the packet.
 */
export function portConditions(
  view: View,
  protocol: PortProtocol,
  ports: string | undefined,
): readonly string[] {
  if (ports === undefined) return [`ct protocol ${protocol}`];
  const port = `ct ${view === 'straight' ? 'reply' : 'original'} proto-src ${ports}`;
  return [
    `meta l4proto ${protocol} ${port}`,
    `meta l4proto icmp ct protocol ${protocol} ${port}`,
    // `ipv6-icmp` is a name of /etc/protocols, which the image has not.
    `meta l4proto icmpv6 ct protocol ${protocol} ${port}`,
    `meta l4proto ${AUTHENTICATION_HEADER} ct protocol ${protocol} ${port}`,
  ];
}

/**
 * The condition that a packet goes out where it came in: a pod that reaches itself through a Service. It must name the way
 * out, which only a forwarded packet has: at input the kernel answers `fib` without a look where a socket waits for it.
 */
export const TO_ITSELF = 'oifname "wv*" fib daddr . iif oif exists';

/** How packets that policy denies are dropped. */
export interface DropSettings {
  /** What a pod of this node begins is answered, so that it fails at once: TCP by a reset, all else by an ICMP error. */
  readonly reject: boolean;
  /** Denied packets are copied to this group of nflog, so many a second at most, of all chains together. */
  readonly log: { readonly group: number; readonly packetsPerSecond: number } | undefined;
}

/** What nft counts of denied packets, by names of counters in the table. */
export const DROP_COUNTERS = {
  egress: 'dropEgress',
  ingress: 'dropIngress',
  invalid: 'dropInvalid',
} as const;

/** The same under the names by which a report shows them: packets since weft-npc last loaded the whole table. */
export const POLICY_COUNTERS = {
  'policy.dropEgress': drops(
    'packet',
    'Packets that policies keep from leaving a pod, and ICMP errors of a pod about flows of others. With --reject some of them are answered.',
  ),
  'policy.dropIngress': drops(
    'packet',
    'Packets that policies keep from reaching a pod. With --reject some of them are answered.',
  ),
  'policy.dropInvalid': drops(
    'packet',
    'Packets from or to pods under policies that belong to no connection that the kernel knows.',
  ),
} as const satisfies CounterTable;

/** A name that the rules of policies count under. */
export type PolicyCounter = keyof typeof POLICY_COUNTERS;

/** The names of these counters in nft. */
export const NFT_POLICY_COUNTER: Readonly<Record<PolicyCounter, string>> = {
  'policy.dropEgress': DROP_COUNTERS.egress,
  'policy.dropIngress': DROP_COUNTERS.ingress,
  'policy.dropInvalid': DROP_COUNTERS.invalid,
};

/** The limit that all chains share that log. */
export const DROP_LOG_LIMIT = 'dropLog';

/** Bytes of a packet that are copied to the log: enough for headers of IPv6, TCP and an ICMP error. */
const LOG_BYTES = 128;

/** What the prefix of a logged packet says: in which direction, and a tag for the policies that denied it. */
export function dropPrefix(way: Way, tag: string): string {
  return `weft:${way === 'ingress' ? 'i' : 'e'}:${tag} `;
}

/** Reads {@link dropPrefix}; undefined where it is none of ours. */
export function parseDropPrefix(prefix: string): { readonly way: Way; readonly tag: string } | undefined {
  const match = /^weft:([ie]):([0-9a-z-]{1,64}) ?$/.exec(prefix);
  return match ? { way: match[1] === 'i' ? 'ingress' : 'egress', tag: match[2]! } : undefined;
}

/** The rules of a chain at which a denied packet ends. */
export function dropRules(way: Way, tag: string, { reject, log }: DropSettings): readonly string[] {
  const begun = 'iifname "wv*" ct direction original';
  return [
    `counter name ${DROP_COUNTERS[way]}`,
    ...(log === undefined
      ? []
      : [
          `limit name ${DROP_LOG_LIMIT} log prefix "${dropPrefix(way, tag)}" group ${log.group} snaplen ${LOG_BYTES}`,
        ]),
    ...(reject
      ? [`${begun} meta l4proto tcp reject with tcp reset`, `${begun} reject with icmpx admin-prohibited`]
      : []),
    'drop',
  ];
}
