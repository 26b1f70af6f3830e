import { equal, throws } from 'node:assert/strict';
import { after, instant } from '../../../base/instant.ts';
import { HandoverPolicy, KEEP_AFTER_RETURN_MS } from '../../../daemon/handover-policy.ts';

const OURS = '0123456789abcdef'.repeat(2);
const THEIRS = 'f'.repeat(32);
const START = instant(1_000);

function makePolicy(over: {
  readonly shared?: boolean;
  readonly returned?: boolean;
  readonly rehearse?: () => void;
}): {
  readonly policy: HandoverPolicy;
  readonly yields: () => number;
} {
  let yields = 0;
  const policy = new HandoverPolicy({
    shared: over.shared ?? true,
    clusterId: OURS,
    returnedAt: over.returned ? START : undefined,
    rehearse: over.rehearse ?? (() => {}),
    onYield: () => yields++,
  });
  return { policy, yields: () => yields };
}

describe('HandoverPolicy', () => {
  it('ends for a weftd of the same cluster', () => {
    const { policy, yields } = makePolicy({});
    policy.yieldTo(OURS, START);
    equal(yields(), 1);
  });

  it('goes on where the node is not shared', () => {
    const { policy, yields } = makePolicy({ shared: false });
    throws(() => policy.yieldTo(OURS, START), /makes room for no other/);
    equal(yields(), 0);
  });

  it('goes on where the other is of another cluster, and tells the start of both ids', () => {
    const { policy, yields } = makePolicy({});
    throws(() => policy.yieldTo(THEIRS, START), /of cluster 01234567…, the secret is of ffffffff…/);
    equal(yields(), 0);
  });

  it('goes on where no other could start, and says why', () => {
    const { policy, yields } = makePolicy({
      rehearse: () => {
        throw new Error('the disk is full');
      },
    });
    throws(() => policy.yieldTo(OURS, START), /the disk is full/);
    equal(yields(), 0);
  });

  it('goes on for a while after a successor failed, then ends for the next one', () => {
    const { policy, yields } = makePolicy({ returned: true });
    throws(() => policy.yieldTo(OURS, after(START, KEEP_AFTER_RETURN_MS - 1)), /took it back 60 s ago/);
    equal(yields(), 0);
    policy.yieldTo(OURS, after(START, KEEP_AFTER_RETURN_MS));
    equal(yields(), 1);
  });
});
