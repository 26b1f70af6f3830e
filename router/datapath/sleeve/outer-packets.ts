import { counterOf, isDataPacket, receiverIndexOf } from '../../packet/data-packet.ts';
import type { PeerSession } from './sleeve-peer.ts';

/** Outer packets, one behind the other, of `segment` bytes each; the last may be shorter. */
export interface OuterPackets {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly end: number;
  readonly segment: number;
  /** The byte of DSCP and ECN that they came with. */
  readonly tos: number;
}

/**
 * Where the packets end that can be opened along with the one at `at`, whose counter is `first`: of the same session,
 * counted up one by one.
 */
export function runEnd(session: PeerSession, packets: OuterPackets, at: number, first: number): number {
  const { bytes, end, segment } = packets;
  let next = Math.min(at + segment, end);
  for (let counter = first + 1; next < end; counter++) {
    const length = Math.min(segment, end - next);
    if (!isDataPacket(bytes, next, length) || receiverIndexOf(bytes, next) !== session.localIndex) break;
    if (counterOf(bytes, next) !== counter || session.refusal(counter) !== undefined) break;
    next += length;
  }
  return next;
}
