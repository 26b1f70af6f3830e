import assert from 'node:assert/strict';
import { instant } from '../../../base/instant.ts';
import { TokenBucket } from '../../../base/token-bucket.ts';

describe('token bucket', () => {
  it('gives its burst at once, then its rate, and never saves up more than the burst', () => {
    const bucket = new TokenBucket(3, 2);
    const take = (ms: number): boolean => bucket.take(instant(ms));
    assert.deepEqual([take(0), take(0), take(0), take(0)], [true, true, true, false]);
    assert.deepEqual([take(499), take(500), take(501)], [false, true, false]);
    assert.deepEqual([take(1e9), take(1e9), take(1e9), take(1e9)], [true, true, true, false]);
  });

  it('gives nothing for time that runs backwards', () => {
    const bucket = new TokenBucket(1, 1000);
    bucket.take(instant(1000));
    assert.equal(bucket.take(instant(0)), false);
  });
});
