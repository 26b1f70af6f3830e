import assert from 'node:assert/strict';
import fc from 'fast-check';
import { InvariantError } from '../../../base/assert.ts';
import { hex, utf8 } from '../../../base/bytes.ts';
import { formatMac, planAttachment } from '../../../cni/attachment.ts';
import { hostLinkName, isHostLinkName, linkAlias, parseLinkAlias } from '../../../cni/host-link-name.ts';
import { MAX_CONTAINER_ID_LENGTH, MAX_NETWORK_NAME_LENGTH } from '../../../cni/key.ts';
import { hostRequests, pairRequest, podRequests } from '../../../cni/pod-link/attach-requests.ts';
import { deleteLinkGroup } from '../../../cni/pod-link/link-group.ts';
import { address } from './fakes.ts';

const key = { containerId: 'abc', ifname: 'eth0' };
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,40}$/);
const keys = fc.record(
  { containerId: name, ifname: fc.stringMatching(/^[a-z][a-z0-9.]{0,14}$/) },
  { noNullPrototype: true },
);

describe('an attachment', () => {
  it('gives every key a host link of its own, always the same, as long as the kernel allows', () => {
    const names = new Set<string>();
    for (let i = 0; i < 5000; i++) {
      const link = hostLinkName({ containerId: `${i}`, ifname: 'eth0' });
      assert.ok(isHostLinkName(link) && link.length <= 15, link);
      names.add(link);
    }
    assert.equal(names.size, 5000);
    assert.equal(hostLinkName(key), hostLinkName({ ...key }));
    assert.notEqual(hostLinkName(key), hostLinkName({ ...key, ifname: 'eth1' }));
  });

  it('gives both ends unicast addresses of the local space, each its own', () => {
    fc.assert(
      fc.property(keys, (some) => {
        const { hostMac, podMac } = planAttachment(some, 'n', { v4: address('10.0.0.1') }, 1500);
        for (const mac of [hostMac, podMac]) assert.equal(mac[0]! & 3, 2);
        assert.notEqual(formatMac(hostMac), formatMac(podMac));
      }),
    );
  });

  it('writes an alias that says whose the link is', () => {
    fc.assert(
      fc.property(keys, name, (some, network) => {
        assert.deepEqual(parseLinkAlias(linkAlias(some, network)), { key: some, network });
      }),
    );
  });

  it('keeps the longest alias within what the kernel stores', () => {
    const longest = { containerId: 'a'.repeat(MAX_CONTAINER_ID_LENGTH), ifname: 'b'.repeat(15) };
    assert.ok(utf8(linkAlias(longest, 'c'.repeat(MAX_NETWORK_NAME_LENGTH))).length <= 255);
  });

  it('does not take another’s alias for its own', () => {
    for (const alias of [
      '',
      'uplink',
      'a/eth0',
      'a/eth0/n/x',
      '../eth0/n',
      'a//n',
      'a/eth0/',
      'a b/eth0/n',
    ]) {
      assert.equal(parseLinkAlias(alias), undefined, alias);
    }
  });

  it('cannot be planned without an address or for an MTU that carries no IPv6', () => {
    assert.throws(() => planAttachment(key, 'n', {}, 1500), InvariantError);
    assert.throws(() => planAttachment(key, 'n', { v4: address('10.0.0.1') }, 1279), InvariantError);
    assert.throws(() => planAttachment(key, 'n', { v4: address('fd00::1') }, 1500), InvariantError);
  });

  it('is made pair first, the pod’s default routes last', () => {
    const attachment = planAttachment(key, 'n', { v4: address('10.0.0.1'), v6: address('fd00::1') }, 1500);
    const said = [
      pairRequest(attachment, 3),
      ...hostRequests(attachment, 7, 'new'),
      ...podRequests(attachment, 2),
    ].map(({ what }) => what);
    assert.deepEqual(said, [
      `create veth eth0 and ${attachment.hostName}`,
      'set link 7',
      'set IPv6 address mode of 7',
      'set IPv4 settings of 7',
      'set link 7',
      'set neighbour 10.0.0.1',
      'set neighbour fd00::1',
      'add route 10.0.0.1/32',
      'add route fd00::1/128',
      'set link 2',
      'add address 10.0.0.1/32',
      'add address fd00::1/128',
      'set neighbour 169.254.1.1',
      'set neighbour fe80::1',
      'add route 0.0.0.0/0',
      'add route ::/0',
    ]);
    const repaired = hostRequests(attachment, 7, 'repair').map(({ what }) => what);
    assert.ok(repaired.includes('replace route 10.0.0.1/32'));
  });

  it('goes alone by its index, and with others by a group that is deleted at once', () => {
    assert.deepEqual(
      deleteLinkGroup([7], 9).map(({ what }) => what),
      ['delete link 7'],
    );
    const together = deleteLinkGroup([7, 8], 0x01020304);
    assert.deepEqual(
      together.map(({ what }) => what),
      ['group link 7', 'group link 8', 'delete 2 links'],
    );
    const group = '08001b0004030201'; // length 8, IFLA_GROUP, the number
    assert.equal(hex(together[0]!.body), `0000000007000000${'00'.repeat(8)}${group}`);
    assert.equal(hex(together[2]!.body), `${'00'.repeat(16)}${group}`);
  });
});
