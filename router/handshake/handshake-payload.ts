/**
 * What the two messages of a tunnel's handshake (handshake.ts) carry sealed. All integers are little endian.
 *
 * ```
 * payload of the initiation, 68 bytes          payload of the response, 32 bytes
 *   0  boot epoch u64                             0  outcome u8: 0 accepted, 1 regressed
 *   8  sequence u64                               1  suite u8 (accepted; else 0)
 *  16  peer id of the initiator 32                2  MTU u16
 *  48  suites u8, traits u8                       4  responder's index u32 (accepted; else 0)
 *  50  MTU u16                                    8  boot epoch u64
 *  52  token 16 (zero, or of a response)         16  token 16 (regressed), or traits u8 ‖ zero 15 (accepted)
 * ```
 *
 * `traits`: bit 0, takes over congestion marks of outer headers. Who does not know a trait ignores its bit.
 */
import { readU16LE, readU32LE, readU64LE, writeU16LE, writeU32LE, writeU64LE } from '../../base/bytes.ts';
import { PEER_ID_LENGTH, type PeerId, peerIdBytes, peerIdFromBytes } from '../../base/peer-id.ts';
import { type Suite, suiteFromId, suiteId } from '../../crypto/suite.ts';
import { IPV6_MINIMUM_MTU } from '../packet/ip-packet.ts';
import { GUARD_TOKEN_LENGTH } from './handshake-guard.ts';

/** What an initiation tells the responder, sealed. */
export interface InitiationPayload {
  readonly epoch: number;
  readonly sequence: number;
  /** The initiator. */
  readonly peer: PeerId;
  /** Bitmap of the suites it has (crypto/suite.ts). */
  readonly suites: number;
  /** Whether it takes over congestion marks of outer headers (packet/ecn.ts). */
  readonly takesMarks: boolean;
  /** The largest inner packet it can take, bytes, at least 1280. */
  readonly mtu: number;
  /** 16 bytes, all zero or the token of a response that said 'regressed'. */
  readonly token: Uint8Array;
}

/** What a response tells the initiator, sealed. */
export type ResponsePayload = { readonly epoch: number; readonly mtu: number } & (
  | {
      readonly outcome: 'accepted';
      readonly suite: Suite;
      readonly index: number;
      readonly takesMarks: boolean;
    }
  | { readonly outcome: 'regressed'; readonly token: Uint8Array }
);

/** The payload of an initiation, 68 bytes. */
export function encodeInitiationPayload(payload: InitiationPayload): Uint8Array {
  const out = new Uint8Array(INITIATION_PAYLOAD_LENGTH);
  writeU64LE(out, 0, payload.epoch);
  writeU64LE(out, 8, payload.sequence);
  out.set(peerIdBytes(payload.peer), 16);
  out[48] = payload.suites;
  out[49] = payload.takesMarks ? TAKES_MARKS : 0;
  writeU16LE(out, 50, payload.mtu);
  out.set(payload.token, 52);
  return out;
}

/** Undefined where a field is out of bounds. Unknown traits are ignored. */
export function decodeInitiationPayload(bytes: Uint8Array): InitiationPayload | undefined {
  if (bytes.length !== INITIATION_PAYLOAD_LENGTH) return undefined;
  const epoch = readU64LE(bytes, 0);
  const sequence = readU64LE(bytes, 8);
  const mtu = readU16LE(bytes, 50);
  if (!Number.isSafeInteger(epoch) || !Number.isSafeInteger(sequence) || mtu < IPV6_MINIMUM_MTU)
    return undefined;
  const peer = peerIdFromBytes(bytes.subarray(16, 16 + PEER_ID_LENGTH));
  const takesMarks = (bytes[49]! & TAKES_MARKS) !== 0;
  return { epoch, sequence, peer, suites: bytes[48]!, takesMarks, mtu, token: bytes.slice(52) };
}

/** The payload of a response, 32 bytes. */
export function encodeResponsePayload(payload: ResponsePayload): Uint8Array {
  const out = new Uint8Array(RESPONSE_PAYLOAD_LENGTH);
  writeU16LE(out, 2, payload.mtu);
  writeU64LE(out, 8, payload.epoch);
  if (payload.outcome === 'accepted') {
    out[0] = OUTCOME_ACCEPTED;
    out[1] = suiteId(payload.suite);
    writeU32LE(out, 4, payload.index);
    out[16] = payload.takesMarks ? TAKES_MARKS : 0;
  } else {
    out[0] = OUTCOME_REGRESSED;
    out.set(payload.token, 16);
  }
  return out;
}

/** Undefined where a field is out of bounds. */
export function decodeResponsePayload(bytes: Uint8Array): ResponsePayload | undefined {
  if (bytes.length !== RESPONSE_PAYLOAD_LENGTH) return undefined;
  const mtu = readU16LE(bytes, 2);
  const epoch = readU64LE(bytes, 8);
  if (!Number.isSafeInteger(epoch) || mtu < IPV6_MINIMUM_MTU) return undefined;
  if (bytes[0] === OUTCOME_REGRESSED) return { outcome: 'regressed', epoch, mtu, token: bytes.slice(16) };
  const suite = suiteFromId(bytes[1]!);
  const index = readU32LE(bytes, 4);
  if (bytes[0] !== OUTCOME_ACCEPTED || suite === undefined || index === 0) return undefined;
  return { outcome: 'accepted', epoch, mtu, suite, index, takesMarks: (bytes[16]! & TAKES_MARKS) !== 0 };
}

/** Lengths before they are sealed, bytes. */
export const INITIATION_PAYLOAD_LENGTH = 52 + GUARD_TOKEN_LENGTH;
export const RESPONSE_PAYLOAD_LENGTH = 16 + GUARD_TOKEN_LENGTH;
/** Bits of `traits`. */
const TAKES_MARKS = 1;
const OUTCOME_ACCEPTED = 0;
const OUTCOME_REGRESSED = 1;
