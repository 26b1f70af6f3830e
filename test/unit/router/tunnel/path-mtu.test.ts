import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { type Instant, instant } from '../../../../base/instant.ts';
import { IPV6_MINIMUM_MTU } from '../../../../router/packet/ip-packet.ts';
import { BASE_MTU, PathMtu, SEARCH_AGAIN_MS, SEARCH_STEP } from '../../../../router/tunnel/path-mtu.ts';
import { seededRandom } from '../../../seeded-random.ts';

/** Runs the search against a path that carries `passes` bytes, until `end`; how many probes it took. */
function search(mtu: PathMtu, passes: number, start: Instant, ms: number): number {
  let now = start;
  let probes = 0;
  for (;;) {
    for (let probe = mtu.tick(now); probe !== undefined; probe = mtu.tick(now)) {
      probes++;
      if (probe.size <= passes) assert.ok(mtu.acknowledged(probe.token, probe.size, now));
    }
    const next = mtu.nextTimeout();
    if (next === undefined || next > start + ms) return probes;
    assert.ok(next > now, 'a tick leaves nothing due');
    now = next;
  }
}

const make = (full = 1364): PathMtu => new PathMtu({ full, random: seededRandom(1) });

describe('the path MTU', () => {
  it('is full from the start, and one probe confirms it', () => {
    const mtu = make();
    assert.equal(mtu.effective, 1364);
    assert.equal(mtu.confirmed, false);
    mtu.restart(instant(0));
    assert.equal(search(mtu, 1364, instant(0), 1000), 1);
    assert.equal(mtu.confirmed, true);
  });

  it('finds within a step what any path carries, full of 1500 or of 9000', () => {
    const paths = fc.tuple(fc.constantFrom(1280, 1364, 1500, 8864), fc.integer({ min: BASE_MTU, max: 9000 }));
    fc.assert(
      fc.property(paths, ([full, passes]) => {
        const mtu = make(full);
        mtu.restart(instant(0));
        const probes = search(mtu, passes, instant(0), 30_000);
        const best = Math.min(full, passes);
        assert.ok(mtu.confirmed && mtu.effective <= best && mtu.effective > best - SEARCH_STEP - 1);
        assert.ok(probes <= 50, `${probes} probes`);
      }),
    );
  });

  it('keeps IPv6 going: after the first loss it is 1280, not less', () => {
    const mtu = make();
    mtu.restart(instant(0));
    search(mtu, 1300, instant(0), 900);
    assert.ok(mtu.effective >= IPV6_MINIMUM_MTU);
  });

  it('stops at the base when nothing comes through, and asks again seldom', () => {
    const mtu = make();
    mtu.restart(instant(0));
    const probes = search(mtu, 0, instant(0), 600_000);
    assert.equal(mtu.effective, BASE_MTU);
    assert.ok(probes < 200, `${probes} probes in ten minutes`);
  });

  it('searches upward again after ten minutes, and keeps the size meanwhile', () => {
    const mtu = make();
    mtu.restart(instant(0));
    search(mtu, 1300, instant(0), 20_000);
    const low = mtu.effective;
    assert.ok(low <= 1300);
    search(mtu, 1300, instant(20_000), SEARCH_AGAIN_MS + 20_000);
    assert.equal(mtu.effective, low);
    search(mtu, 1364, instant(20_000 + SEARCH_AGAIN_MS + 20_000), SEARCH_AGAIN_MS + 20_000);
    assert.equal(mtu.effective, 1364);
  });

  it('notices on verification that a path has shrunk', () => {
    const mtu = make();
    mtu.restart(instant(0));
    search(mtu, 1364, instant(0), 1000);
    mtu.verify(instant(2000));
    search(mtu, 1200, instant(2000), 10_000);
    assert.ok(mtu.effective <= 1200 && mtu.effective > 1200 - SEARCH_STEP - 1);
  });

  it('raises it within ten minutes where a narrowed path has widened, though traffic has it verified all the time', () => {
    const mtu = make();
    mtu.restart(instant(0));
    search(mtu, 1364, instant(0), 1000);
    let now = 30_000;
    const carry = (passes: number, until: number): void => {
      for (; now < until; now += 30_000) {
        mtu.verify(instant(now));
        search(mtu, passes, instant(now), 29_999);
      }
    };
    carry(1236, 60_000);
    assert.ok(mtu.effective <= 1236, 'it was narrow at 30 s');
    carry(1364, 30_000 + SEARCH_AGAIN_MS);
    assert.ok(mtu.effective <= 1236, 'a size that works is kept for as long');
    carry(1364, 30_000 + SEARCH_AGAIN_MS + 60_000);
    assert.equal(mtu.effective, 1364);
  });

  it('believes no acknowledgement that answers no probe', () => {
    const mtu = make();
    mtu.restart(instant(0));
    const probe = mtu.tick(instant(0))!;
    assert.equal(mtu.acknowledged(new Uint8Array(8), probe.size, instant(1)), false);
    assert.equal(mtu.acknowledged(probe.token, 65_535, instant(1)), false);
    assert.equal(mtu.acknowledged(probe.token, probe.size, instant(1)), true);
    assert.equal(mtu.acknowledged(probe.token, probe.size, instant(1)), false);
  });
});
