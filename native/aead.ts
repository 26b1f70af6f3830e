import { addon, type Handle } from './addon.ts';

/** The ciphers, as the addon numbers them. */
const CIPHERS = { 'chacha20-poly1305': 0, 'aes-256-gcm': 1 } as const;
type NativeCipher = keyof typeof CIPHERS;

/** Packets that are sealed and opened where they lie; `crypto/aead-engine.ts` says what the parts mean. */
interface Run {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly length: number;
  readonly segment: number;
  readonly aadLength: number;
}

/**
 * Why `cipher` cannot be had here, as the end of "because …"; undefined where it can. AES is refused to processors
 * without instructions for it: there it is slow, and its tables tell the key to whoever shares the caches.
 */
export function nativeCipherFault(cipher: NativeCipher): string | undefined {
  const { openssl, aesHardware } = addon().aeadSupport();
  if (!openssl) return 'this Node.js does not give its OpenSSL to addons';
  if (cipher === 'aes-256-gcm' && !aesHardware) return 'the processor has no instructions for it';
  return undefined;
}

/**
 * A key in OpenSSL's memory, where its schedule is kept and which is wiped when it is closed. Seals and opens a run of
 * packets in one call, in the caller's bytes. Throws where OpenSSL fails and where bytes are no run.
 */
export class NativeAead {
  readonly #handle: Handle;
  readonly #seal = addon().aeadSealRun;
  readonly #open = addon().aeadOpenRun;

  /** `key`: 32 bytes, of which it takes a copy. Requires that {@link nativeCipherFault} finds nothing. */
  constructor(cipher: NativeCipher, key: Uint8Array) {
    this.#handle = addon().aeadOpen(CIPHERS[cipher], key);
  }

  /** Seals all packets of `run`; `nonce` (12 bytes) is the first one's, its last 8 bytes count up. */
  sealRun(nonce: Uint8Array, run: Run): void {
    this.#seal(this.#handle, nonce, run.bytes, run.at, run.length, run.segment, run.aadLength);
  }

  /** Opens packets up to the first that is not as it was sealed, whose text is wiped. How many opened. */
  openRun(nonce: Uint8Array, run: Run): number {
    return this.#open(this.#handle, nonce, run.bytes, run.at, run.length, run.segment, run.aadLength);
  }

  /** Wipes the key. Harmless when repeated. */
  close(): void {
    addon().aeadClose(this.#handle);
  }
}
