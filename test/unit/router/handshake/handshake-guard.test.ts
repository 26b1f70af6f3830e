import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { instant } from '../../../../base/instant.ts';
import { HandshakeGuard, TOKEN_LIFETIME_MS } from '../../../../router/handshake/handshake-guard.ts';
import { seededRandom } from '../../../seeded-random.ts';

const NONE = new Uint8Array(16);
const guard = (): HandshakeGuard => new HandshakeGuard({ random: seededRandom(1) });

describe('the handshake guard', () => {
  it('takes what rises by epoch or by sequence, and nothing twice', () => {
    const one = guard();
    assert.equal(one.judge(3, 7, NONE, instant(0)), 'accept');
    assert.equal(one.judge(3, 7, NONE, instant(0)), 'replay');
    assert.equal(one.judge(3, 8, NONE, instant(0)), 'accept');
    assert.equal(one.judge(4, 1, NONE, instant(0)), 'accept');
    assert.equal(one.judge(3, 9, NONE, instant(0)), 'regressed');
    assert.equal(one.judge(4, 0, NONE, instant(0)), 'regressed');
  });

  it('takes a fallen one that echoes the token, once, and does not lower the mark for it', () => {
    const one = guard();
    one.judge(9, 9, NONE, instant(0));
    const token = one.token(instant(0));
    assert.equal(one.judge(2, 1, NONE, instant(1)), 'regressed');
    assert.equal(one.judge(2, 1, token, instant(1)), 'accept');
    assert.equal(one.judge(2, 1, token, instant(1)), 'regressed');
    assert.equal(one.judge(9, 8, NONE, instant(1)), 'regressed', 'old recordings stay worthless');
  });

  it('keeps one token while it lives, so that replays cannot take it away, and none for longer', () => {
    const one = guard();
    one.judge(9, 9, NONE, instant(0));
    const token = one.token(instant(0));
    assert.deepEqual(one.token(instant(5000)), token);
    assert.equal(one.judge(2, 1, token, instant(TOKEN_LIFETIME_MS + 1)), 'regressed');
    assert.notDeepEqual(one.token(instant(TOKEN_LIFETIME_MS + 1)), token);
  });

  it('never takes a token of zeros for an echo', () => {
    const one = guard();
    one.judge(9, 9, NONE, instant(0));
    assert.equal(one.judge(1, 1, NONE, instant(0)), 'regressed');
  });

  it('accepts each pair at most once in any order of arrival', () => {
    const pairs = fc.array(fc.tuple(fc.nat(4), fc.nat(4)), { maxLength: 40 });
    fc.assert(
      fc.property(pairs, (arrivals) => {
        const one = guard();
        const accepted = new Set<string>();
        for (const [epoch, sequence] of arrivals) {
          if (one.judge(epoch, sequence, NONE, instant(0)) !== 'accept') continue;
          assert.ok(!accepted.has(`${epoch}/${sequence}`));
          accepted.add(`${epoch}/${sequence}`);
        }
      }),
    );
  });
});
