import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, instant } from '../../../base/instant.ts';
import {
  COOKIE_REPLY_LENGTH,
  COOKIE_SECRET_LIFE_MS,
  COOKIE_USE_MS,
  CookieJar,
  CookieJudge,
  checkMac1,
  macKeysOf,
} from '../../../crypto/cookie.ts';
import { cryptoReady } from '../../../crypto/ready.ts';
import { seededRandom } from '../../seeded-random.ts';

const start = instant(1_000_000);
const source = '192.0.2.7:6783';

function scene() {
  const random = seededRandom(5);
  const mac1Key = random.bytes(32);
  const staticKey = random.bytes(32);
  const keys = macKeysOf(mac1Key, staticKey);
  const judge = new CookieJudge(keys, random, start);
  const jar = new CookieJar(macKeysOf(mac1Key, staticKey));
  const packet = (): Uint8Array => {
    const bytes = new Uint8Array(148);
    bytes.set(random.bytes(116));
    return bytes;
  };
  /** The whole round: a packet without cookie, the reply, and what `take` says of it. */
  const earnCookie = (now = start) => {
    const first = packet();
    jar.stamp(first, now);
    return jar.take(judge.reply(first, 77, source, now), now);
  };
  return { random, mac1Key, staticKey, keys, judge, jar, packet, earnCookie };
}

describe('cookie', () => {
  before(() => cryptoReady);

  it('lets a packet with mac1 through to the answer, and with the cookie all the way', () => {
    const { judge, jar, packet, earnCookie } = scene();
    const first = packet();
    jar.stamp(first, start);
    assert.equal(judge.judge(first, source, start), 'mac1');
    assert.ok(earnCookie().ok);
    const second = packet();
    jar.stamp(second, start);
    assert.equal(judge.judge(second, source, start), 'mac2');
  });

  it('is silent to any packet with any bit changed', () => {
    const { judge, jar, packet, earnCookie } = scene();
    earnCookie();
    fc.assert(
      fc.property(fc.nat({ max: 148 * 8 - 1 }), (bit) => {
        const bytes = packet();
        jar.stamp(bytes, start);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        // Only mac2 lies outside mac1: there the packet falls back to one without a cookie.
        assert.equal(judge.judge(bytes, source, start), bit >> 3 < 132 ? 'none' : 'mac1');
      }),
    );
  });

  it('is silent to another cluster and to packets for another node', () => {
    const { judge, random, mac1Key, staticKey, packet } = scene();
    for (const keys of [macKeysOf(random.bytes(32), staticKey), macKeysOf(mac1Key, random.bytes(32))]) {
      const bytes = packet();
      new CookieJar(keys).stamp(bytes, start);
      assert.equal(judge.judge(bytes, source, start), 'none');
      assert.ok(checkMac1(keys, bytes));
    }
  });

  it('holds for one address and port alone', () => {
    const { judge, jar, packet, earnCookie } = scene();
    earnCookie();
    const bytes = packet();
    jar.stamp(bytes, start);
    for (const other of ['192.0.2.8:6783', '192.0.2.7:6784', '']) {
      assert.equal(judge.judge(bytes, other, start), 'mac1');
    }
  });

  it('holds through one change of the secret and not through two', () => {
    const { judge, jar, packet, earnCookie } = scene();
    earnCookie();
    const bytes = packet();
    jar.stamp(bytes, start);
    const at = (ms: number) => judge.judge(bytes, source, after(start, ms));
    assert.equal(at(COOKIE_SECRET_LIFE_MS - 1), 'mac2');
    assert.equal(at(COOKIE_SECRET_LIFE_MS), 'mac2');
    assert.equal(at(2 * COOKIE_SECRET_LIFE_MS), 'mac1');
    assert.equal(at(9 * COOKIE_SECRET_LIFE_MS), 'mac1');
  });

  it('does not hold after a long quiet either, when no change came between', () => {
    const { judge, jar, packet, earnCookie } = scene();
    earnCookie();
    const bytes = packet();
    jar.stamp(bytes, start);
    assert.equal(judge.judge(bytes, source, after(start, 2 * COOKIE_SECRET_LIFE_MS)), 'mac1');
  });

  it('is used by the sender as long as it surely holds, and no longer', () => {
    const { judge, jar, packet, earnCookie } = scene();
    earnCookie();
    const verdictAt = (ms: number) => {
      const bytes = packet();
      jar.stamp(bytes, after(start, ms));
      return judge.judge(bytes, source, after(start, ms));
    };
    assert.equal(verdictAt(COOKIE_USE_MS - 1), 'mac2');
    assert.equal(verdictAt(COOKIE_USE_MS), 'mac1');
  });

  it('is taken only as the answer to the packet sent last, once, and unaltered', () => {
    const { judge, jar, packet, keys } = scene();
    const fresh = new CookieJar(keys);
    const first = packet();
    jar.stamp(first, start);
    const reply = judge.reply(first, 77, source, start);
    assert.equal(reply.length, COOKIE_REPLY_LENGTH);
    assert.deepEqual([...reply.subarray(0, 8)], [3, 0, 0, 0, 77, 0, 0, 0]);
    assert.deepEqual(fresh.take(reply, start), { ok: false, reason: 'unasked' });
    for (let at = 0; at < 4; at++) {
      const altered = reply.slice();
      altered[at]! ^= 4;
      assert.deepEqual(jar.take(altered, start), { ok: false, reason: 'malformed' });
    }
    for (let at = 8; at < reply.length; at++) {
      const altered = reply.slice();
      altered[at]! ^= 4;
      assert.deepEqual(jar.take(altered, start), { ok: false, reason: 'bad-tag' });
    }
    assert.ok(jar.take(reply, start).ok);
    assert.deepEqual(jar.take(reply, start), { ok: false, reason: 'unasked' });
    jar.stamp(packet(), start);
    assert.deepEqual(jar.take(reply, start), { ok: false, reason: 'bad-tag' });
    for (const length of [0, 63, 65]) {
      assert.deepEqual(jar.take(new Uint8Array(length), start), { ok: false, reason: 'malformed' });
    }
  });

  it('judges packets of every length', () => {
    const { judge } = scene();
    for (let length = 0; length < 200; length++) {
      assert.equal(judge.judge(new Uint8Array(length), source, start), 'none');
    }
  });
});
