import { blake2b512 } from '../crypto/hash.ts';
import { type Identity, sign, verifySignature } from '../crypto/identity.ts';
import type { GossipOptions } from '../gossip/model/gossip-options.ts';

/** What gossip needs of crypto, which it does not know. */
export function gossipCrypto(identity: Identity): GossipOptions['crypto'] {
  return {
    sign: (message) => sign(identity, message),
    verify: verifySignature,
    hash: (bytes) => blake2b512(bytes),
  };
}
