import { ChaChaEngine } from '../../../crypto/chacha-engine.ts';
import type { AeadMaker } from '../../../crypto/choose-aeads.ts';
import type { Suite } from '../../../crypto/suite.ts';
import { NativeAead, nativeCipherFault } from '../../../native/aead.ts';

/** What can seal and open for the sleeve, the fastest first for each suite. */
export const AEAD_MAKERS: readonly AeadMaker[] = [
  native('aes-256-gcm'),
  native('chacha20-poly1305'),
  {
    suite: 'chacha20-poly1305',
    by: 'WebAssembly',
    unfit: () => undefined,
    create: (key) => new ChaChaEngine(key),
  },
];

function native(suite: Suite): AeadMaker {
  return {
    suite,
    by: 'OpenSSL',
    unfit: () => nativeCipherFault(suite),
    create: (key) => new NativeAead(suite, key),
  };
}
