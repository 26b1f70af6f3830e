/** Bytes that sealing adds: the tag, behind the ciphertext. The same in both suites. */
export const TAG_LENGTH = 16;
/** Bytes of a key. The same in both suites. */
export const KEY_LENGTH = 32;
/** Bytes of a nonce. The same in both suites. */
export const NONCE_LENGTH = 12;

/**
 * Packets one behind the other, of `segment` bytes each; the last may be shorter. They are sealed and opened where
 * they lie:
 *
 * ```
 * 0          aadLength
 * | clear      | text …      | tag (16) |
 *  ╰ associated ╯
 * ```
 */
export interface PacketRun {
  readonly bytes: Uint8Array;
  /** Where the first packet begins in `bytes`, and the bytes of all together. */
  readonly at: number;
  readonly length: number;
  readonly segment: number;
  /** Bytes at the beginning of each packet that stay clear and are authenticated. */
  readonly aadLength: number;
}

/**
 * What seals and opens under one key, in one suite: the interface behind which libraries can be changed. Only
 * `aead.ts` calls it, which sees to it that each packet of a run has room for what it must hold.
 */
export interface AeadEngine {
  /**
   * Seals all packets. `nonce` (12 bytes) is that of the first; the number in its last 8 bytes, in little endian,
   * counts up from packet to packet.
   */
  sealRun(nonce: Uint8Array, run: PacketRun): void;
  /**
   * Opens packets from the first up to the first that is not as it was sealed, whose text is then lost. How many
   * opened.
   */
  openRun(nonce: Uint8Array, run: PacketRun): number;
  /** Wipes the key. Nothing is called afterwards. */
  close(): void;
}
