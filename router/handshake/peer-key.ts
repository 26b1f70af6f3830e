import type { PeerId } from '../../base/peer-id.ts';
import type { MacKeys } from '../../crypto/cookie.ts';

/** A peer with its static key, and the keys of the MACs on packets to it, which are derived when first needed. */
export class PeerKey {
  readonly peer: PeerId;
  /** X25519, 32 bytes. */
  readonly noiseKey: Uint8Array;
  readonly #derive: (noiseKey: Uint8Array) => MacKeys;
  #macKeys: MacKeys | undefined;

  constructor(peer: PeerId, noiseKey: Uint8Array, derive: (noiseKey: Uint8Array) => MacKeys) {
    this.peer = peer;
    this.noiseKey = noiseKey;
    this.#derive = derive;
  }

  get macKeys(): MacKeys {
    this.#macKeys ??= this.#derive(this.noiseKey);
    return this.#macKeys;
  }
}
