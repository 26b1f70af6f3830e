import assert from 'node:assert/strict';
import { hkdfSync } from 'node:crypto';
import { hex } from '../../../base/bytes.ts';
import { WeftError } from '../../../base/weft-error.ts';
import { generateClusterSecret, parseClusterSecret } from '../../../crypto/cluster-secret.ts';
import { cryptoReady } from '../../../crypto/ready.ts';
import { seededRandom } from '../../seeded-random.ts';

const secret = seededRandom(77).bytes(32);
const base64 = Buffer.from(secret).toString('base64');

describe('cluster secret', () => {
  before(() => cryptoReady);

  it('reads what `weft secret new` writes', () => {
    const random = seededRandom(1);
    for (let i = 0; i < 200; i++) parseClusterSecret(`${generateClusterSecret(random)}\n`);
    assert.notEqual(generateClusterSecret(random), generateClusterSecret(random));
  });

  it('is the same in hex and in base64, with and without padding, in blank lines and CRLF', () => {
    const keys = parseClusterSecret(hex(secret));
    const same = [
      hex(secret).toUpperCase(),
      base64,
      base64.replace(/=+$/, ''),
      base64.replaceAll('+', '-').replaceAll('/', '_'),
      `\n  ${base64}\r\n\n`,
    ];
    for (const text of same) assert.deepEqual(parseClusterSecret(text), keys);
  });

  it('gives keys of the promised lengths, all different, and others for another secret', () => {
    const keys = parseClusterSecret(hex(secret));
    assert.deepEqual(
      [keys.clusterId, keys.psk, keys.mac1Key, keys.ula].map((key) => key.length),
      [16, 32, 32, 5],
    );
    const other = parseClusterSecret(hex(seededRandom(78).bytes(32)));
    const prefixes = [keys, other].flatMap((k) =>
      [k.clusterId, k.psk, k.mac1Key, k.ula].map((b) => hex(b).slice(0, 10)),
    );
    assert.equal(new Set(prefixes).size, 8);
  });

  it('derives each key as HKDF of its label: a change would cut a running cluster in two', () => {
    const expected = (label: string, length: number): Uint8Array =>
      new Uint8Array(hkdfSync('blake2b512', secret, '', label, length));
    assert.deepEqual(parseClusterSecret(hex(secret)), {
      clusterId: expected('weft cluster id', 16),
      psk: expected('weft noise psk', 32),
      mac1Key: expected('weft mac1', 32),
      ula: expected('weft ula', 5),
    });
  });

  const refused: readonly (readonly [string, string, string])[] = [
    ['an empty file', '', 'E_SECRET_FORMAT'],
    ['a blank file', ' \n\n', 'E_SECRET_FORMAT'],
    ['words', 'correct horse battery staple', 'E_SECRET_FORMAT'],
    ['two lines', `${base64}\n${base64}\n`, 'E_SECRET_FORMAT'],
    ['an impossible length of base64', 'A'.repeat(45), 'E_SECRET_FORMAT'],
    ['both alphabets of base64 mixed', `+_${base64.slice(2)}`, 'E_SECRET_FORMAT'],
    ['a file far too long', '0'.repeat(5000), 'E_SECRET_FORMAT'],
    ['31 bytes of hex', hex(secret.subarray(0, 31)), 'E_SECRET_SHORT'],
    ['31 bytes of base64', Buffer.from(secret.subarray(0, 31)).toString('base64'), 'E_SECRET_SHORT'],
    ['a password', 'hunter2!', 'E_SECRET_FORMAT'],
    ['a longer password', 'hunter2x', 'E_SECRET_SHORT'],
    ['equal bytes', '00'.repeat(32), 'E_SECRET_WEAK'],
    ['repeated words', Buffer.from('swordfish'.repeat(8)).toString('base64'), 'E_SECRET_WEAK'],
    ['counting', hex(Uint8Array.from({ length: 32 }, (_, i) => i)), 'E_SECRET_WEAK'],
    ['counting down by three', hex(Uint8Array.from({ length: 40 }, (_, i) => 250 - 3 * i)), 'E_SECRET_WEAK'],
  ];
  for (const [what, text, code] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parseClusterSecret(text), { code });
    });
  }

  it('repeats nothing of the secret in its complaints', () => {
    for (const [, text] of refused) {
      const shown = text.trim().slice(0, 6);
      if (shown === '') continue;
      assert.throws(
        () => parseClusterSecret(text),
        (fault) => fault instanceof WeftError && !fault.line.includes(shown),
      );
    }
  });
});
