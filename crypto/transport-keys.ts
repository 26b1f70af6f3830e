import { assert } from '../base/assert.ts';
import { concat, utf8 } from '../base/bytes.ts';
import { hkdf } from './hash.ts';
import type { SplitKeys } from './noise.ts';
import { erase } from './secret-bytes.ts';
import { type Suite, suiteId } from './suite.ts';

/** The keys of one session, 32 bytes each. Equal on both sides, crosswise. */
export interface DataKeys {
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
}

const DATA_LABEL = utf8('weft data v1');

/**
 * The data keys of a finished handshake for the suite that was chosen in it:
 *
 * ```
 * key = HKDF(salt = handshake hash, secret = Split's key of that direction, info = "weft data v1" ‖ suite u8)
 * ```
 *
 * So two suites never share a key, and a side that believes in another suite or another transcript opens
 * nothing. `split` stays the caller's to erase (see {@link eraseSplit}).
 */
export function deriveDataKeys(split: SplitKeys, suite: Suite): DataKeys {
  assert(split.handshakeHash.length === 64, 'a handshake hash of 64 bytes');
  const info = concat(DATA_LABEL, Uint8Array.of(suiteId(suite)));
  return {
    sendKey: hkdf(split.handshakeHash, split.send, info, 32),
    receiveKey: hkdf(split.handshakeHash, split.receive, info, 32),
  };
}

/** Wipes both keys: the session is over, or the datapath has its copy. */
export function eraseDataKeys(keys: DataKeys): void {
  erase(keys.sendKey, keys.receiveKey);
}

/** Wipes what Split left. */
export function eraseSplit(split: SplitKeys): void {
  erase(split.send, split.receive);
}
