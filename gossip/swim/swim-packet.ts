import { concat, readU32LE, writeU32LE } from '../../base/bytes.ts';
import { PEER_ID_LENGTH, type PeerId, peerIdBytes, peerIdFromBytes } from '../../base/peer-id.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { decodeRumours, encodeRumours, RUMOUR_LENGTH, type Rumour } from '../model/rumour.ts';

/**
 * A SWIM datagram, sealed in the tunnel between two peers, so its sender is known.
 *
 * ```
 * 0         1      2         3      4            8            8 or 40
 * | version | kind | rumours | zero | number LE  | target     | rumours …
 * |    1    |  1   |    1    |  1   |     4      | 0 or 32    | n × 57
 * ```
 *
 * `ping` (1) is answered with `ack` (3) of the same number. `ping-req` (2) asks the receiver to ping `target`, and
 * to answer with `ack` when it does, or with `nack` (4) to say that it at least is listening (Lifeguard).
 */
export interface SwimPacket {
  readonly kind: SwimKind;
  /** Chosen by the asker, u32. */
  readonly number: number;
  /** Of a `ping-req` only. */
  readonly target?: PeerId;
  readonly rumours: readonly Rumour[];
}

type SwimKind = 'ping' | 'ping-req' | 'ack' | 'nack';

const SWIM_VERSION = 1;
/** One byte under the 1,100 of a control message, which the channel number takes. */
export const MAX_SWIM_LENGTH = 1099;
/** Rumours in one packet: 8 + 32 + 12 × 57 = 724 bytes, safe on any path. */
export const MAX_PIGGYBACK = 12;

const HEADER_LENGTH = 8;
const KINDS: readonly (SwimKind | undefined)[] = [undefined, 'ping', 'ping-req', 'ack', 'nack'];

export type SwimFault = 'oversized' | 'unknown' | 'malformed';

/** The bytes of a datagram. The caller keeps to {@link MAX_PIGGYBACK}, and names a target with a `ping-req` only. */
export function encodeSwimPacket(packet: SwimPacket): Uint8Array {
  const header = new Uint8Array(HEADER_LENGTH);
  header[0] = SWIM_VERSION;
  header[1] = KINDS.indexOf(packet.kind);
  header[2] = packet.rumours.length;
  writeU32LE(header, 4, packet.number);
  const target = packet.target ? peerIdBytes(packet.target) : new Uint8Array(0);
  return concat(header, target, encodeRumours(packet.rumours));
}

/** Reads a datagram. `unknown`: a version or kind of the future, to be skipped. Never throws. */
export function decodeSwimPacket(bytes: Uint8Array): Result<SwimPacket, SwimFault> {
  if (bytes.length > MAX_SWIM_LENGTH) return fail('oversized');
  if (bytes.length < HEADER_LENGTH) return fail('malformed');
  const kind = KINDS[bytes[1]!];
  if (bytes[0] !== SWIM_VERSION || !kind) return fail('unknown');
  const at = HEADER_LENGTH + (kind === 'ping-req' ? PEER_ID_LENGTH : 0);
  const count = bytes[2]!;
  if (count > MAX_PIGGYBACK || bytes.length !== at + count * RUMOUR_LENGTH) return fail('malformed');
  const rumours = decodeRumours(bytes.subarray(at));
  if (!rumours) return fail('malformed');
  const number = readU32LE(bytes, 4);
  if (kind !== 'ping-req') return ok({ kind, number, rumours });
  return ok({ kind, number, target: peerIdFromBytes(bytes.subarray(HEADER_LENGTH, at)), rumours });
}
