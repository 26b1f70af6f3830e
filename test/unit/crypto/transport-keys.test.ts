import assert from 'node:assert/strict';
import { hex } from '../../../base/bytes.ts';
import { cryptoReady } from '../../../crypto/ready.ts';
import { deriveDataKeys, eraseDataKeys, eraseSplit } from '../../../crypto/transport-keys.ts';

const a = new Uint8Array(32).fill(1);
const b = new Uint8Array(32).fill(2);
const handshakeHash = new Uint8Array(64).fill(3);

describe('transport keys', () => {
  before(() => cryptoReady);

  it('are equal crosswise and differ by direction', () => {
    const ours = deriveDataKeys({ send: a, receive: b, handshakeHash }, 'chacha20-poly1305');
    const theirs = deriveDataKeys({ send: b, receive: a, handshakeHash }, 'chacha20-poly1305');
    assert.deepEqual(ours.sendKey, theirs.receiveKey);
    assert.deepEqual(ours.receiveKey, theirs.sendKey);
    assert.notDeepEqual(ours.sendKey, ours.receiveKey);
    assert.equal(ours.sendKey.length, 32);
  });

  it('differ by suite, by transcript and from what Split gave', () => {
    const other = handshakeHash.slice();
    other[63]! ^= 1;
    const keys = [
      deriveDataKeys({ send: a, receive: b, handshakeHash }, 'chacha20-poly1305').sendKey,
      deriveDataKeys({ send: a, receive: b, handshakeHash }, 'aes-256-gcm').sendKey,
      deriveDataKeys({ send: a, receive: b, handshakeHash: other }, 'chacha20-poly1305').sendKey,
      a,
    ].map(hex);
    assert.equal(new Set(keys).size, keys.length);
  });

  it('can be wiped', () => {
    const split = { send: a.slice(), receive: b.slice(), handshakeHash };
    const keys = deriveDataKeys(split, 'chacha20-poly1305');
    eraseSplit(split);
    eraseDataKeys(keys);
    for (const key of [split.send, split.receive, keys.sendKey, keys.receiveKey]) {
      assert.ok(key.every((byte) => byte === 0));
    }
  });
});
