import { deepEqual, equal } from 'node:assert/strict';
import { instant } from '../../../base/instant.ts';
import { ApiError } from '../../../kube/api-error.ts';
import { ApiFaults, REMOVAL_FORGET_MS } from '../../../kube/api-faults.ts';

const busy = new ApiError(429, 'TooManyRequests', 'too many');
const forbidden = new ApiError(403, 'Forbidden', 'no');
const away = new ApiError(0, 'NoAnswer', 'the API server does not answer: connect ECONNREFUSED');

describe('ApiFaults', () => {
  it('says what fails, since when, and what to do, until it is granted', () => {
    const faults = new ApiFaults();
    deepEqual(faults.lines(instant(0)), []);
    faults.failed('objects', forbidden, instant(10_000));
    faults.failed('objects', forbidden, instant(20_000));
    deepEqual(faults.lines(instant(35_900)), [
      "the API of Kubernetes answers 403 (Forbidden), for 25 s now (the watch of Weft's ConfigMaps); " +
        'apply the manifest again: the service account lacks a permission',
    ]);
    equal(faults.granted('objects'), true);
    equal(faults.granted('objects'), false);
    deepEqual(faults.lines(instant(36_000)), []);
  });

  it('joins what fails in the same way, and counts from the first', () => {
    const faults = new ApiFaults();
    faults.failed('services', forbidden, instant(500));
    faults.failed('nodes', away, instant(2_000));
    faults.failed('objects', away, instant(1_000));
    const [first, second, ...more] = faults.lines(instant(4_000));
    equal(
      first?.startsWith('the API of Kubernetes answers 403 (Forbidden), for 3 s now (the list of S'),
      true,
    );
    equal(
      second,
      'the API of Kubernetes cannot be used: the API server does not answer: connect ECONNREFUSED, for 3 s now ' +
        "(the watch of Weft's ConfigMaps, the watch of nodes); see that this node reaches the API server; " +
        'what is known stays in use meanwhile',
    );
    deepEqual(more, []);
  });

  it('counts anew where a fault turns into one of another kind, and not where it stays', () => {
    const faults = new ApiFaults();
    faults.failed('objects', away, instant(0));
    faults.failed('objects', busy, instant(5_000));
    faults.failed('objects', busy, instant(6_000));
    const [line, ...more] = faults.lines(instant(9_000));
    equal(/answers 429 \(TooManyRequests\), for 4 s now/.test(line!), true, line);
    deepEqual(more, []);
  });

  it('forgets a removal that nobody proposes any more, and nothing else', () => {
    const faults = new ApiFaults();
    faults.failed('removal', busy, instant(0));
    equal(faults.lines(instant(REMOVAL_FORGET_MS)).length, 1);
    deepEqual(faults.lines(instant(REMOVAL_FORGET_MS + 1)), []);
    faults.failed('objects', busy, instant(0));
    equal(faults.lines(instant(10 * REMOVAL_FORGET_MS)).length, 1);
  });

  for (const [status, words] of [
    [0, /see that this node reaches the API server/],
    [401, /token .* no longer good/],
    [403, /apply the manifest again/],
    [429, /the server is busy/],
    [500, /see the log of the API server/],
    [503, /see the log of the API server/],
  ] as const) {
    it(`knows what to do about ${status}`, () => {
      const faults = new ApiFaults();
      faults.failed('peers', new ApiError(status, 'Reason', 'message'), instant(0));
      equal(words.test(faults.lines(instant(0))[0]!), true);
    });
  }
});
