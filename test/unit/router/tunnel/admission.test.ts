import { strict as assert } from 'node:assert';
import { Counters } from '../../../../base/counters.ts';
import { instant } from '../../../../base/instant.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { CookieJar, macKeysOf } from '../../../../crypto/cookie.ts';
import { cryptoReady } from '../../../../crypto/ready.ts';
import type { Origin } from '../../../../router/datapath/datapath.ts';
import { INITIATION_LENGTH } from '../../../../router/handshake/handshake.ts';
import { Admission } from '../../../../router/tunnel/admission.ts';
import { TUNNEL_COUNTERS, type TunnelCounter } from '../../../../router/tunnel/tunnel-counters.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { at } from './tunnel-net.ts';

await cryptoReady;

const random = seededRandom(1);
const mac1Key = random.bytes(32);
const noiseKey = random.bytes(32);
const direct = (text: string): Origin => ({ kind: 'direct', endpoint: at(text) });

function make(loadPerSecond: number): { admission: Admission; counters: Counters<TunnelCounter> } {
  const counters = new Counters(TUNNEL_COUNTERS);
  return { admission: new Admission({ mac1Key, noiseKey, random, counters, loadPerSecond }), counters };
}

function stamped(jar = new CookieJar(macKeysOf(mac1Key, noiseKey))): Uint8Array {
  const packet = random.bytes(INITIATION_LENGTH);
  jar.stamp(packet, instant(0));
  return packet;
}

describe('admission', () => {
  it('is silent to packets without a right mac1, and they make no load', () => {
    const { admission, counters } = make(5);
    const here = direct('192.0.2.1:1');
    for (let i = 0; i < 1000; i++) {
      assert.equal(admission.judge(random.bytes(INITIATION_LENGTH), here, instant(i)).type, 'refuse');
    }
    assert.equal(counters.get('handshake.badMac1'), 1000);
    assert.equal(admission.judge(stamped(), here, instant(1000)).type, 'admit');
  });

  it('asks for a cookie above the load, takes it from the right address alone, and forgets load in time', () => {
    const { admission } = make(5);
    const here = direct('192.0.2.1:1');
    for (let i = 0; i < 5; i++) assert.equal(admission.judge(stamped(), here, instant(0)).type, 'admit');
    const jar = new CookieJar(macKeysOf(mac1Key, noiseKey));
    const verdict = admission.judge(stamped(jar), here, instant(10));
    assert.ok(verdict.type === 'cookie' && verdict.reply.length <= INITIATION_LENGTH);
    assert.ok(jar.take(verdict.reply, instant(20)).ok);
    const packet = stamped(jar);
    assert.equal(admission.judge(packet, direct('192.0.2.2:1'), instant(30)).type, 'cookie');
    assert.equal(admission.judge(packet, direct('192.0.2.1:2'), instant(30)).type, 'cookie');
    assert.equal(admission.judge(packet, here, instant(30)).type, 'admit');
    assert.equal(admission.judge(stamped(), here, instant(2100)).type, 'admit');
  });

  it('limits a source that proved its address to bursts of 5', () => {
    const { admission, counters } = make(0);
    const here = direct('192.0.2.1:1');
    const jar = new CookieJar(macKeysOf(mac1Key, noiseKey));
    const verdict = admission.judge(stamped(jar), here, instant(0));
    assert.ok(verdict.type === 'cookie' && jar.take(verdict.reply, instant(0)).ok);
    const verdicts = Array.from({ length: 20 }, () => admission.judge(stamped(jar), here, instant(1)).type);
    assert.equal(verdicts.filter((type) => type === 'admit').length, 5);
    assert.equal(counters.get('handshake.limited'), 15);
  });

  it('limits each relay at all times, and asks none for a cookie', () => {
    const { admission } = make(1000);
    const relay: Origin = { kind: 'relay', via: 'ab'.repeat(32) as PeerId };
    const verdicts = Array.from({ length: 20 }, () => admission.judge(stamped(), relay, instant(0)).type);
    assert.deepEqual(new Set(verdicts), new Set(['admit', 'refuse']));
    assert.equal(verdicts.filter((type) => type === 'admit').length, 5);
  });
});
