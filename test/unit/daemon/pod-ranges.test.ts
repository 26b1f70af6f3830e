import { deepEqual, equal } from 'node:assert/strict';
import { fromHex } from '../../../base/bytes.ts';
import { formatRange, parseCidr } from '../../../base/range.ts';
import { adoptableRanges, podRanges } from '../../../daemon/pod-ranges.ts';

const ula = fromHex('0102030405')!;
const range4 = parseCidr('10.32.0.0/12')!;

describe('podRanges', () => {
  it("derives the IPv6 range from the cluster's global id, subnet 0", () => {
    deepEqual(podRanges({ range4, range6: 'derived' }, { ula }).map(formatRange), [
      '10.32.0.0/12',
      'fd01:203:405::/64',
    ]);
  });

  it('takes the ranges that are given, and leaves out a family that is not', () => {
    const range6 = parseCidr('fd00:1::/64')!;
    deepEqual(podRanges({ range4: undefined, range6 }, { ula }).map(formatRange), ['fd00:1::/64']);
    deepEqual(podRanges({ range4, range6: undefined }, { ula }).map(formatRange), ['10.32.0.0/12']);
  });

  it('goes by the ring to which the node belongs where the settings name no IPv4 range', () => {
    const byDefault = { range4: 'default', range6: undefined } as const;
    deepEqual(podRanges(byDefault, { ula }).map(formatRange), ['10.32.0.0/13']);
    deepEqual(podRanges(byDefault, { ula }, [range4]).map(formatRange), ['10.32.0.0/12']);
    deepEqual(podRanges(byDefault, { ula }, [parseCidr('fd00:1::/64')!]), []);
    const other = parseCidr('10.40.0.0/16');
    deepEqual(podRanges({ range4: other, range6: undefined }, { ula }, [range4]).map(formatRange), [
      '10.40.0.0/16',
    ]);
  });

  it('are those of a ring that is joined, where the settings name no other', () => {
    const byDefault = { range4: 'default', range6: 'derived' } as const;
    const own6 = parseCidr('fd01:203:405::/64')!;
    const ring = [range4, own6];
    deepEqual(adoptableRanges(byDefault, { ula }, ring), ring);
    deepEqual(adoptableRanges({ ...byDefault, range4 }, { ula }, ring), ring);
    equal(adoptableRanges({ ...byDefault, range4: parseCidr('10.32.0.0/13') }, { ula }, ring), undefined);
    equal(adoptableRanges(byDefault, { ula }, [range4, parseCidr('fd00:1::/64')!]), undefined);
    equal(adoptableRanges(byDefault, { ula }, []), undefined);
  });
});
