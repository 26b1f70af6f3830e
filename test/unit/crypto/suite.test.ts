import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  chooseSuite,
  DEFAULT_FLOOR,
  PORTABLE_SUITES,
  SUITES,
  suiteBitmap,
  suiteFromId,
  suiteId,
  suitesOf,
} from '../../../crypto/suite.ts';

const chacha = suiteBitmap(['chacha20-poly1305']);
const gcm = suiteBitmap(['aes-256-gcm']);
const all = suiteBitmap(SUITES);

describe('suite', () => {
  it('has fixed numbers on the wire', () => {
    assert.equal(suiteId('chacha20-poly1305'), 1);
    assert.equal(suiteId('aes-256-gcm'), 2);
    assert.equal(suiteFromId(1), 'chacha20-poly1305');
    assert.equal(suiteFromId(2), 'aes-256-gcm');
    for (const id of [0, 3, 255]) assert.equal(suiteFromId(id), undefined);
    assert.equal(chacha, 0b01);
    assert.equal(gcm, 0b10);
  });

  it('prefers hardware AES-GCM where both have it, else falls to ChaCha', () => {
    assert.equal(chooseSuite(all, all, all), 'aes-256-gcm');
    assert.equal(chooseSuite(all, chacha, all), 'chacha20-poly1305');
    assert.equal(
      chooseSuite(suiteBitmap(PORTABLE_SUITES), all, suiteBitmap(DEFAULT_FLOOR)),
      'chacha20-poly1305',
    );
  });

  it('gives none rather than one beneath the floor', () => {
    assert.equal(chooseSuite(chacha, all, gcm), undefined);
    assert.equal(chooseSuite(0, all, all), undefined);
    assert.equal(chooseSuite(all, all, 0), undefined);
  });

  it('is the same from either side, permitted and offered by both, whatever bits come', () => {
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(byte, byte, byte, (local, remote, floor) => {
        const chosen = chooseSuite(local, remote, floor);
        assert.equal(chosen, chooseSuite(remote, local, floor));
        if (chosen === undefined) assert.equal(local & remote & floor & all, 0);
        else for (const set of [local, remote, floor]) assert.ok(suitesOf(set).includes(chosen));
      }),
    );
  });
});
