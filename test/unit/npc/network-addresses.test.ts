import { deepEqual } from 'node:assert/strict';
import { formatRange } from '../../../base/range.ts';
import { networkAddresses } from '../../../npc/network-addresses.ts';

const peers = [{ name: 'a', addresses: ['10.32.0.1', 'FD00::0:1', 'nonsense'] }];

describe('what weftd says of the network', () => {
  it('is read, and what is no address or no range is passed over', () => {
    const { overlayByNode, podRanges } = networkAddresses({
      peers,
      podRanges: ['10.32.0.0/12', 'fd00::/64', '10.32.0.1/12', ''],
    });
    deepEqual([...overlayByNode], [['a', ['10.32.0.1', 'fd00::1']]]);
    deepEqual(podRanges.map(formatRange), ['10.32.0.0/12', 'fd00::/64']);
  });

  it('has no ranges of pods where weftd is of an earlier version', () => {
    deepEqual(networkAddresses({ peers }).podRanges, []);
  });
});
