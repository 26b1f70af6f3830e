import assert from 'node:assert/strict';
import {
  decodeForgets,
  encodeForgets,
  type Forget,
  Forgotten,
  MAX_FORGETS_OF_ISSUER,
} from '../../../../gossip/records/forgotten.ts';
import { peer } from '../fakes.ts';

const line = (subject: number, epoch: number, sequence: number): Forget => ({
  subject: peer(subject),
  version: { epoch, sequence },
});

describe('forgotten peers', () => {
  it('are listed up to the version that any issuer names', () => {
    const forgotten = new Forgotten();
    forgotten.set(peer(1), [line(9, 2, 5)]);
    forgotten.set(peer(2), [line(9, 2, 7)]);
    assert.equal(forgotten.isListed(peer(9), { epoch: 2, sequence: 7 }), true);
    assert.equal(forgotten.isListed(peer(9), { epoch: 1, sequence: 99 }), true);
    assert.equal(forgotten.isListed(peer(9), { epoch: 2, sequence: 8 }), false);
    forgotten.remove(peer(2));
    assert.equal(forgotten.isListed(peer(9), { epoch: 2, sequence: 7 }), false);
    assert.equal(forgotten.isListed(peer(9), { epoch: 2, sequence: 5 }), true);
  });

  it('are kept out at the version that was let go, whatever a list names, for as long as a list names them', () => {
    const forgotten = new Forgotten();
    forgotten.set(peer(1), [line(9, 2 ** 47, 1)]);
    assert.equal(forgotten.isGone(peer(9), { epoch: 1, sequence: 1 }), false, 'it was never held here');
    forgotten.letGo(peer(9), { epoch: 3, sequence: 4 });
    assert.equal(forgotten.isGone(peer(9), { epoch: 3, sequence: 4 }), true);
    assert.equal(forgotten.isGone(peer(9), { epoch: 3, sequence: 5 }), false);
    forgotten.set(peer(1), [line(8, 1, 1)]);
    assert.equal(forgotten.isGone(peer(9), { epoch: 3, sequence: 4 }), false);
  });

  it('lists beyond the bound of all are not looked at, and make room when they go', () => {
    const forgotten = new Forgotten();
    const list = (issuer: number): Forget[] =>
      Array.from({ length: MAX_FORGETS_OF_ISSUER }, (_, i) => line(1000 * issuer + i, 1, 1));
    for (let issuer = 1; issuer <= 129; issuer++) forgotten.set(peer(issuer), list(issuer));
    assert.equal(forgotten.listOf(peer(128)).length, MAX_FORGETS_OF_ISSUER);
    assert.deepEqual(forgotten.listOf(peer(129)), []);
    forgotten.remove(peer(1));
    forgotten.set(peer(129), list(129));
    assert.equal(forgotten.listOf(peer(129)).length, MAX_FORGETS_OF_ISSUER);
  });

  it('are read as they were written, and nothing else is', () => {
    const list = [line(1, 2, 3), line(2, 2 ** 48 - 1, 0)];
    assert.deepEqual(decodeForgets(encodeForgets(list)), list);
    assert.deepEqual(decodeForgets(new Uint8Array(0)), []);
    assert.equal(decodeForgets(new Uint8Array(47)), undefined);
    assert.equal(decodeForgets(new Uint8Array(48 * (MAX_FORGETS_OF_ISSUER + 1))), undefined);
    assert.equal(decodeForgets(new Uint8Array(48).fill(255)), undefined, 'a version out of bounds');
  });
});
