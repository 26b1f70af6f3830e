import { strict as assert } from 'node:assert';
import type { Endpoint } from '../../../../base/endpoint.ts';
import { instant } from '../../../../base/instant.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import type { Path } from '../../../../router/datapath/datapath.ts';
import {
  CHALLENGE_LIFETIME_MS,
  CHALLENGES_MAX,
  Paths,
  PUBLISHED_MAX,
} from '../../../../router/tunnel/paths.ts';
import { seededRandom } from '../../../seeded-random.ts';

const HOME = '192.0.2.1:1' as Endpoint;
const AWAY = '198.51.100.1:2' as Endpoint;
const direct = (endpoint: string): Path => ({ kind: 'direct', endpoint: endpoint as Endpoint });
const relay: Path = { kind: 'relay', via: 'ab'.repeat(32) as PeerId };

function paths(): Paths {
  const one = new Paths({ random: seededRandom(1) });
  one.setPublished([HOME], instant(0));
  return one;
}

describe('paths', () => {
  it('of a first attempt are all direct ones, staggered; a relay joins after a second', () => {
    const one = paths();
    one.setPublished([HOME, AWAY], instant(0));
    one.setRelays([relay.via]);
    assert.deepEqual(one.attempt(0, 0, false), [
      { path: direct(HOME), delayMs: 0 },
      { path: direct(AWAY), delayMs: 50 },
    ]);
    assert.deepEqual(one.attempt(3, 1000, false).at(-1), { path: relay, delayMs: 0 });
  });

  it('of a peer without endpoints are its relays at once', () => {
    const one = new Paths({ random: seededRandom(1) });
    one.setRelays([relay.via]);
    assert.deepEqual(one.attempt(0, 0, false), [{ path: relay, delayMs: 0 }]);
  });

  it('of a rekey begin with the one in use, and of later attempts with the one that worked', () => {
    const one = paths();
    one.setPublished([AWAY, HOME], instant(0));
    one.use(direct(HOME), instant(0));
    assert.deepEqual(one.attempt(0, 0, true), [{ path: direct(HOME), delayMs: 0 }]);
    assert.deepEqual(one.attempt(1, 250, true)[0]!.path, direct(HOME));
  });

  it('from a record are bounded', () => {
    const one = paths();
    one.setPublished(
      Array.from({ length: 100 }, (_, i) => `192.0.2.1:${i + 1}` as Endpoint),
      instant(0),
    );
    assert.equal(one.candidates().length, PUBLISHED_MAX);
  });

  it('change only by an answer with the token that went there', () => {
    const one = paths();
    one.use(direct(HOME), instant(0));
    const [toHome, toAway] = one.moved(direct(AWAY), instant(10));
    assert.deepEqual([toHome!.path, toAway!.path], [direct(HOME), direct(AWAY)]);
    assert.equal(one.answered(new Uint8Array(8), instant(11)), 'stale');
    assert.equal(
      one.answered(
        toAway!.token.map((byte) => byte ^ 1),
        instant(11),
      ),
      'stale',
    );
    assert.deepEqual(one.current, direct(HOME));
    assert.equal(one.answered(toAway!.token, instant(12)), 'moved');
    assert.deepEqual(one.current, direct(AWAY));
    assert.equal(one.answered(toAway!.token, instant(12)), 'stale', 'a token serves once');
  });

  it('stay where the one in use answers first', () => {
    const one = paths();
    one.use(direct(HOME), instant(0));
    const [toHome, toAway] = one.moved(direct(AWAY), instant(10));
    assert.equal(one.answered(toHome!.token, instant(11)), 'kept');
    assert.equal(one.answered(toAway!.token, instant(12)), 'kept');
    assert.deepEqual(one.current, direct(HOME));
  });

  it('believe no answer that comes too late', () => {
    const one = paths();
    one.use(direct(HOME), instant(0));
    const [, toAway] = one.moved(direct(AWAY), instant(10));
    const late = instant(10 + CHALLENGE_LIFETIME_MS + 1);
    assert.equal(one.answered(toAway!.token, late), 'stale');
  });

  it('ignore packets out of a relay while a direct one works, and use the relay when it does not', () => {
    const one = paths();
    one.use(direct(HOME), instant(0));
    assert.deepEqual(one.moved(relay, instant(10)), []);
    one.suspect();
    const challenges = one.moved(relay, instant(20));
    assert.equal(challenges.length, 2);
    assert.equal(one.answered(challenges[1]!.token, instant(30)), 'moved');
  });

  it('challenge a bounded number of places, twice each, however many claim to be the peer', () => {
    const one = paths();
    one.use(direct(HOME), instant(0));
    const sentTo = new Map<string, number>();
    for (let i = 0; i < 10_000; i++) {
      const now = instant(i);
      for (const { path } of [...one.moved(direct(`203.0.113.1:${i + 1}`), now), ...one.tick(now)]) {
        const key = JSON.stringify(path);
        sentTo.set(key, (sentTo.get(key) ?? 0) + 1);
      }
    }
    assert.ok(sentTo.size <= 42, `${sentTo.size} places in 10 s`);
    for (const [path, count] of sentTo) assert.ok(count <= 2 || path === JSON.stringify(direct(HOME)));
    assert.ok(CHALLENGES_MAX <= 20, 'the endpoints of a record and a few more');
  });

  it('are tried directly again while relayed, ever more seldom up to once a minute', () => {
    const one = paths();
    one.use(relay, instant(0));
    const times: number[] = [];
    for (let now = 0; now < 300_000; now += 100) {
      if (one.tick(instant(now)).some(({ path }) => path.kind === 'direct')) times.push(now);
    }
    const firsts = times.filter((time, i) => i === 0 || time - times[i - 1]! > 1000);
    assert.equal(firsts[0], 5000);
    assert.ok(firsts.length >= 5 && firsts.length <= 9, `${firsts}`);
  });
});
