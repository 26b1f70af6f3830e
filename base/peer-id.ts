import { fromHex, hex } from './bytes.ts';

/**
 * Who a peer is: its Ed25519 public key as 64 lower-case hex digits. Whoever holds the private half is the
 * peer; names and addresses are only attributes of its signed record.
 */
export type PeerId = string & { readonly __brand: 'PeerId' };

export const PEER_ID_LENGTH = 32;

/** The identity of a 32-byte Ed25519 public key. */
export function peerIdFromBytes(publicKey: Uint8Array): PeerId {
  return hex(publicKey) as PeerId;
}

/** The 32 bytes of the Ed25519 public key. */
export function peerIdBytes(peer: PeerId): Uint8Array {
  return fromHex(peer)!;
}

/** Reads 64 hex digits. Undefined where `text` is something else. */
export function parsePeerId(text: string): PeerId | undefined {
  return /^[0-9a-f]{64}$/.test(text) ? (text as PeerId) : undefined;
}

/** The first 12 digits: enough to tell peers apart in a log line, never to decide by. */
export function shortPeerId(peer: PeerId): string {
  return peer.slice(0, 12);
}
