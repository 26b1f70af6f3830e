import {
  ADDRESS_LENGTH,
  type Address,
  addressBytes,
  addressFromBytes,
  type Family,
} from '../../base/address.ts';
import { readU16LE, readU32LE, utf8, utf8Text, writeU16LE, writeU32LE } from '../../base/bytes.ts';
import { PEER_ID_LENGTH, type PeerId, peerIdBytes, peerIdFromBytes } from '../../base/peer-id.ts';

/**
 * Reads hostile bytes field by field. A read past the end, or of an invalid value, makes the reader fail for good:
 * it returns zero values from then on, and the decoder asks {@link ok} or {@link finished} before it believes any.
 * Integers are little endian; addresses are in network order.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #ok = true;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** No read has failed. */
  get ok(): boolean {
    return this.#ok;
  }

  /** No read has failed and no byte is left. */
  get finished(): boolean {
    return this.#ok && this.#at === this.#bytes.length;
  }

  /** Bytes read so far. */
  get at(): number {
    return this.#at;
  }

  u8(): number {
    return this.#take(1) ? this.#bytes[this.#at - 1]! : 0;
  }

  u16(): number {
    return this.#take(2) ? readU16LE(this.#bytes, this.#at - 2) : 0;
  }

  u32(): number {
    return this.#take(4) ? readU32LE(this.#bytes, this.#at - 4) : 0;
  }

  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    return this.#take(length) ? this.#bytes.subarray(this.#at - length, this.#at) : new Uint8Array(0);
  }

  peer(): PeerId {
    return peerIdFromBytes(this.bytes(PEER_ID_LENGTH));
  }

  /** A byte 4 or 6. */
  family(): Family {
    const family = this.u8();
    if (family === 4 || family === 6) return family;
    this.#ok = false;
    return 4;
  }

  address(family: Family): Address {
    return addressFromBytes(this.bytes(ADDRESS_LENGTH[family])) ?? { family, value: 0n };
  }

  /** UTF-8 behind a length byte. */
  text(): string {
    const text = utf8Text(this.bytes(this.u8()));
    if (text === undefined) this.#ok = false;
    return text ?? '';
  }

  #take(length: number): boolean {
    if (!this.#ok || this.#at + length > this.#bytes.length) {
      this.#ok = false;
      return false;
    }
    this.#at += length;
    return true;
  }
}

/** Builds what {@link ByteReader} reads. Every method returns the writer. */
export class ByteWriter {
  readonly #out: number[] = [];

  u8(value: number): this {
    this.#out.push(value & 0xff);
    return this;
  }

  u16(value: number): this {
    const bytes = new Uint8Array(2);
    writeU16LE(bytes, 0, value);
    return this.bytes(bytes);
  }

  u32(value: number): this {
    const bytes = new Uint8Array(4);
    writeU32LE(bytes, 0, value);
    return this.bytes(bytes);
  }

  bytes(bytes: Uint8Array): this {
    for (const byte of bytes) this.#out.push(byte);
    return this;
  }

  peer(peer: PeerId): this {
    return this.bytes(peerIdBytes(peer));
  }

  address(address: Address): this {
    return this.bytes(addressBytes(address));
  }

  /** At most 255 bytes of UTF-8; the caller has checked. */
  text(text: string): this {
    const bytes = utf8(text);
    return this.u8(bytes.length).bytes(bytes);
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#out);
  }
}
