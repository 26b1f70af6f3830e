import assert from 'node:assert/strict';
import type { Endpoint } from '../../../../base/endpoint.ts';
import { instant } from '../../../../base/instant.ts';
import { DEFAULT_GOSSIP_CONFIG } from '../../../../gossip/model/gossip-config.ts';
import { Dialler } from '../../../../gossip/overlay/dialler.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { peer } from '../fakes.ts';

const one = '192.0.2.1:6783' as Endpoint;
const two = '192.0.2.2:6783' as Endpoint;
const at = (ms: number) => instant(ms);
const dialler = (): Dialler =>
  new Dialler({ ...DEFAULT_GOSSIP_CONFIG, maxConcurrentDials: 2 }, seededRandom(1));

/** Fails at `now` and returns how long the endpoint then stays closed. */
function backoff(of: Dialler, now: number, max = 30_000): number {
  of.started(one, undefined, at(now));
  of.failed(one, max, at(now));
  let ms = 0;
  while (!of.canDial(one, at(now + ms))) ms += 5;
  return ms;
}

describe('dialler', () => {
  it('backs off from 250 ms, doubling to 30 s, with jitter of a quarter', () => {
    const d = dialler();
    let now = 0;
    for (const expected of [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      const ms = backoff(d, now);
      assert.ok(ms >= 0.75 * expected - 5 && ms <= 1.25 * expected + 5, `${ms} of ${expected}`);
      now += ms;
    }
    assert.ok(backoff(d, now, 1000) <= 1250, 'a small cluster tries sooner');
  });

  it('limits dials in flight', () => {
    const d = dialler();
    d.started(one, undefined, at(0));
    assert.equal(d.canDial(one, at(0)), false);
    assert.equal(d.canDial(two, at(0)), true);
    d.started(two, undefined, at(0));
    assert.equal(d.canDial('192.0.2.3:1' as Endpoint, at(0)), false);
    d.opened(one);
    assert.equal(d.canDial('192.0.2.3:1' as Endpoint, at(0)), true);
  });

  it('counts a dial that was never answered as failed', () => {
    const d = dialler();
    d.started(one, peer(1), at(0));
    assert.equal(d.isDialling(peer(1)), true);
    d.expire(30_000, at(DEFAULT_GOSSIP_CONFIG.dialTimeoutMs));
    assert.equal(d.pendingCount, 0);
    assert.equal(d.isDialling(peer(1)), false);
    assert.equal(d.canDial(one, at(DEFAULT_GOSSIP_CONFIG.dialTimeoutMs)), false);
  });

  it('never dials again where it met itself', () => {
    const d = dialler();
    d.started(one, undefined, at(0));
    d.markOwn(one);
    d.retryNow([one]);
    assert.equal(d.canDial(one, at(1e9)), false);
    assert.equal(d.best([one, two], at(1e9)), two);
  });

  it('prefers the endpoint that failed least', () => {
    const d = dialler();
    backoff(d, 0);
    assert.equal(d.best([one, two], at(10_000)), two);
    d.retryNow([one]);
    assert.equal(d.best([one, two], at(10_000)), one);
  });

  it('forgives after a long-lived link, not after a short one', () => {
    const d = dialler();
    for (let i = 0; i < 6; i++) backoff(d, i * 100_000);
    d.lost(one, 100, 30_000, at(700_000));
    assert.equal(d.canDial(one, at(705_000)), false);
    d.lost(one, 60_000, 30_000, at(800_000));
    assert.equal(d.canDial(one, at(800_400)), true);
  });

  it('forgets endpoints that nobody names any more', () => {
    const d = dialler();
    d.failed(one, 30_000, at(0));
    d.failed(two, 30_000, at(0));
    d.prune((endpoint) => endpoint === two);
    assert.equal(d.rememberedCount, 1);
  });
});
