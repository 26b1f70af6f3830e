import assert from 'node:assert/strict';
import { planAttachment } from '../../../cni/attachment.ts';
import { CniFault } from '../../../cni/fault.ts';
import { handedPod, parseHandedPod } from '../../../cni/handed-pod.ts';
import { address } from './fakes.ts';

const KEY = { containerId: 'one', ifname: 'eth0' };
const HELD = {
  attachment: planAttachment(KEY, 'weft', { v4: address('10.32.0.7') }, 1364),
  link: 2,
  carrierLosses: 1,
  owner: 'pod default/web-0',
  netnsName: 'cni-1',
  leftAlone: ['mtu'],
};

describe('a pod that one weftd hands to the next', () => {
  it('is read as it was written', () => {
    const { attachment: _, ...rest } = HELD;
    const expected = { ...rest, key: KEY, network: 'weft', mtu: 1364 };
    assert.deepEqual(parseHandedPod(JSON.parse(JSON.stringify(handedPod(HELD)))), expected);
    const young = handedPod({ ...HELD, leftAlone: undefined });
    assert.equal(parseHandedPod(JSON.parse(JSON.stringify(young))).leftAlone, undefined);
  });

  const good = handedPod(HELD);
  const bad: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['no key', { ...good, key: undefined }],
    ['a bad container id', { ...good, key: { containerId: '../x', ifname: 'eth0' } }],
    ['a bad interface', { ...good, key: { containerId: 'one', ifname: 'a/b' } }],
    ['a bad network', { ...good, network: '/' }],
    ['an MTU that carries no IPv6', { ...good, mtu: 1279 }],
    ['no index', { ...good, link: 0 }],
    ['a broken count', { ...good, carrierLosses: 1.5 }],
    ['a text that is none', { ...good, owner: 7 }],
    ['a text without end', { ...good, netnsName: 'x'.repeat(401) }],
    ['parts that are none', { ...good, leftAlone: 'mtu' }],
    ['parts without end', { ...good, leftAlone: Array.from({ length: 17 }, () => 'mtu') }],
  ];
  for (const [what, value] of bad)
    it(`is refused with ${what}`, () => {
      assert.throws(() => parseHandedPod(value), CniFault);
    });
});
