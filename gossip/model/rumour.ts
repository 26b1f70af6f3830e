import { hex, readU64LE, writeU64LE } from '../../base/bytes.ts';
import { PEER_ID_LENGTH, type PeerId, peerIdBytes, peerIdFromBytes } from '../../base/peer-id.ts';
import type { MemberState } from './gossip-output.ts';
import { MAX_EPOCH, MAX_SEQUENCE, type Version } from './record.ts';

/**
 * Hearsay about a member: "at this version of its `node` record it is alive / suspect / dead".
 *
 * Rumours are not signed. What they can do is therefore small: they say nothing about a version that is not held,
 * and the subject takes back a false one by publishing a newer record, which nobody but the subject can do.
 */
export interface Rumour {
  readonly subject: PeerId;
  readonly state: RumourState;
  /** Who saw it, by the first 8 bytes of its identity as hex: tells independent accusers apart. */
  readonly accuser: string;
  readonly version: Version;
}

export type RumourState = 'alive' | 'suspect' | 'dead';

export const RUMOUR_LENGTH = 57;

/** Wire codes of member states; 0 for unknown and left, of which no rumour is told. */
const CODE: Readonly<Record<MemberState, number>> = { unknown: 0, left: 0, alive: 1, suspect: 2, dead: 3 };
const STATES: readonly (RumourState | undefined)[] = [undefined, 'alive', 'suspect', 'dead'];

/** The wire code of a state; 0 for those of which no rumour is told. */
export function stateCode(state: MemberState): number {
  return CODE[state];
}

/** `unknown` for 0 and for codes of later versions. */
export function stateOfCode(code: number): MemberState {
  return STATES[code] ?? 'unknown';
}

/** How a peer signs as accuser. */
export function accuserOf(peer: PeerId): string {
  return peer.slice(0, 16);
}

/**
 * Rumours one behind the other, 57 bytes each:
 *
 * ```
 * 0         32      33        41          49             57
 * | subject | state | accuser | epoch LE  | sequence LE  |
 * |   32    |   1   |    8    |     8     |      8       |
 * ```
 */
export function encodeRumours(rumours: readonly Rumour[]): Uint8Array {
  const out = new Uint8Array(rumours.length * RUMOUR_LENGTH);
  for (const [i, rumour] of rumours.entries()) {
    const at = i * RUMOUR_LENGTH;
    out.set(peerIdBytes(rumour.subject), at);
    out[at + 32] = CODE[rumour.state];
    for (let k = 0; k < 8; k++)
      out[at + 33 + k] = Number.parseInt(rumour.accuser.slice(2 * k, 2 * k + 2), 16);
    writeU64LE(out, at + 41, rumour.version.epoch);
    writeU64LE(out, at + 49, rumour.version.sequence);
  }
  return out;
}

/** Undefined where the length or a version is out of bounds; rumours of unknown states are left out. */
export function decodeRumours(bytes: Uint8Array): Rumour[] | undefined {
  if (bytes.length % RUMOUR_LENGTH !== 0) return undefined;
  const out: Rumour[] = [];
  for (let at = 0; at < bytes.length; at += RUMOUR_LENGTH) {
    const state = STATES[bytes[at + 32]!];
    const version = { epoch: readU64LE(bytes, at + 41), sequence: readU64LE(bytes, at + 49) };
    if (version.epoch > MAX_EPOCH || version.sequence > MAX_SEQUENCE) return undefined;
    if (!state) continue;
    const subject = peerIdFromBytes(bytes.subarray(at, at + PEER_ID_LENGTH));
    out.push({ subject, state, accuser: hex(bytes.subarray(at + 33, at + 41)), version });
  }
  return out;
}
