import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { concat, fromHex, hex } from '../../base/bytes.ts';
import { peerIdFromBytes } from '../../base/peer-id.ts';
import { Aead } from '../../crypto/aead.ts';
import { chachaOpen, chachaSeal } from '../../crypto/chacha20-poly1305.ts';
import { verifySignature } from '../../crypto/identity.ts';
import { cryptoReady } from '../../crypto/ready.ts';
import { x25519 } from '../../crypto/x25519.ts';
import { NativeAead } from '../../native/aead.ts';

interface AeadVector {
  readonly tcId: number;
  readonly comment: string;
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
  readonly result: 'valid' | 'invalid';
}

interface X25519Vector {
  readonly tcId: number;
  readonly public: string;
  readonly private: string;
  readonly shared: string;
  readonly flags: readonly string[];
}

interface Ed25519Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly publicKey: string;
  readonly msg: string;
  readonly sig: string;
  readonly result: 'valid' | 'invalid';
}

describe('Wycheproof', () => {
  before(() => cryptoReady);

  it('ChaCha20-Poly1305: seals what is valid, opens nothing else', () => {
    const seen = { valid: 0, invalid: 0 };
    for (const vector of load<AeadVector>('chacha20-poly1305.json')) {
      const { key, iv, aad, msg } = {
        key: bytes(vector.key),
        iv: bytes(vector.iv),
        aad: bytes(vector.aad),
        msg: bytes(vector.msg),
      };
      const sealed = concat(bytes(vector.ct), bytes(vector.tag));
      const out = new Uint8Array(msg.length);
      const length = chachaOpen(key, iv, aad, sealed, out, 0);
      seen[vector.result]++;
      if (vector.result === 'invalid') {
        assert.equal(length, -1, `${vector.tcId} ${vector.comment}`);
        assert.ok(
          out.every((byte) => byte === 0),
          'a failed open leaves the output alone',
        );
        continue;
      }
      assert.equal(length, msg.length, `${vector.tcId} ${vector.comment}`);
      assert.deepEqual(out, msg);
      const again = new Uint8Array(msg.length + 16);
      chachaSeal(key, iv, aad, msg, again, 0);
      assert.deepEqual(again, sealed);
    }
    assert.ok(seen.valid >= 256 && seen.invalid >= 60, JSON.stringify(seen));
  });

  it('ChaCha20-Poly1305 in native code: the same', () => {
    for (const vector of load<AeadVector>('chacha20-poly1305.json')) {
      const [iv, aad] = [bytes(vector.iv), bytes(vector.aad)];
      const sealed = concat(bytes(vector.ct), bytes(vector.tag));
      const aead = new Aead('chacha20-poly1305', new NativeAead('chacha20-poly1305', bytes(vector.key)));
      const opened = aead.open(iv, aad, sealed);
      const expected = vector.result === 'valid' ? bytes(vector.msg) : undefined;
      assert.deepEqual(opened, expected, `${vector.tcId} ${vector.comment}`);
      if (expected !== undefined) assert.deepEqual(aead.seal(iv, aad, expected), sealed);
      aead.erase();
    }
  });

  it('X25519: agrees everywhere and refuses exactly the zero results', () => {
    let agreed = 0;
    let refused = 0;
    for (const vector of load<X25519Vector>('x25519.json')) {
      const shared = x25519(bytes(vector.private), bytes(vector.public));
      if (/^0+$/.test(vector.shared)) {
        assert.equal(shared, undefined, `${vector.tcId}`);
        refused++;
      } else {
        assert.equal(shared && hex(shared), vector.shared, `${vector.tcId}`);
        agreed++;
      }
    }
    assert.ok(agreed >= 480 && refused >= 10, `${agreed} ${refused}`);
  });

  it('Ed25519: accepts valid signatures and no other', () => {
    const seen = { valid: 0, invalid: 0 };
    for (const vector of load<Ed25519Vector>('ed25519.json')) {
      const peer = peerIdFromBytes(bytes(vector.publicKey));
      const verdict = verifySignature(peer, bytes(vector.msg), bytes(vector.sig));
      assert.equal(verdict, vector.result === 'valid', `${vector.tcId} ${vector.comment}`);
      seen[vector.result]++;
    }
    assert.ok(seen.valid >= 88 && seen.invalid >= 63, JSON.stringify(seen));
  });
});

function load<Vector>(file: string): Vector[] {
  const path = new URL(`./data/${file}`, import.meta.url);
  return (JSON.parse(readFileSync(path, 'utf8')) as { tests: Vector[] }).tests;
}

function bytes(text: string): Uint8Array {
  return fromHex(text)!;
}
