import type { Address } from '../../base/address.ts';
import type { WhyPort } from '../why-port.ts';

/** Whose packets a probe is made of, and by what they are known again wherever they pass. */
export interface ProbeFlow {
  readonly protocol: Exclude<WhyPort['protocol'], 'SCTP'>;
  readonly source: Address;
  readonly target: Address;
  /** Of the target; 0 with ICMP. */
  readonly port: number;
  /** Source port, or id of the echo; also the IPv4 id or IPv6 flow label, so that an ICMP error shows which packet it is about. */
  readonly mark: number;
}

/**
 * Marks lie above the range from which kernels take the ports of connections (net.ipv4.ip_local_port_range ends at
 * 60,999), so that no connection of the pod has the same addresses and ports as a probe.
 */
const FIRST_MARK = 61_000;
const LAST_MARK = 65_535;

/** A mark of two random bytes. */
export function markOf(random: Uint8Array): number {
  return FIRST_MARK + (((random[0]! << 8) | random[1]!) % (LAST_MARK - FIRST_MARK + 1));
}
