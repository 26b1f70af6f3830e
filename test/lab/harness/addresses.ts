/** An IPv4 and an IPv6 address or range. */
export interface DualStack {
  readonly v4: string;
  readonly v6: string;
}

/** Where the control plane is on the underlay; machine numbers of nodes begin at {@link FIRST_NODE}. */
export const CONTROL_PLANE = 1;
export const FIRST_NODE = 11;
/** The outside: holds the bridge, and every node's default route leads to it. */
export const OUTSIDE = 254;

/** Services get their addresses from these. */
export const SERVICES: DualStack = { v4: '10.96.0.0/16', v6: 'fd00:96::/112' };
/** Of the Service `kubernetes`, the first of each range. */
export const API_SERVICE: DualStack = { v4: '10.96.0.1', v6: 'fd00:96::1' };
/** Of the Service `kube-dns`. */
export const DNS_SERVICE: DualStack = { v4: '10.96.0.10', v6: 'fd00:96::a' };
/** What pods get under `--cni bridge`, a part of it on each node. */
export const BRIDGE_PODS: DualStack = { v4: '10.244.0.0/16', v6: 'fd00:244::/48' };
/** Addresses of the outside that are on no link of a node, as the internet's are. */
export const INTERNET: DualStack = { v4: '203.0.113.1', v6: '2001:db8:113::1' };

/** A machine's addresses on the underlay, 192.168.77.0/24 and fd77::/64. */
export function underlay(number: number): DualStack {
  return { v4: `192.168.77.${number}`, v6: `fd77::${number.toString(16)}` };
}

/** The part of {@link BRIDGE_PODS} of one node. */
export function bridgePods(number: number): DualStack {
  return { v4: `10.244.${number}.0/24`, v6: `fd00:244:0:${number.toString(16)}::/64` };
}
