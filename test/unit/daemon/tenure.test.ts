import { equal, throws } from 'node:assert/strict';
import { after, instant } from '../../../base/instant.ts';
import { KEEP_AFTER_RETURN_MS, Tenure } from '../../../daemon/tenure.ts';

const OURS = '0123456789abcdef'.repeat(2);
const THEIRS = 'f'.repeat(32);
const START = instant(1_000);

function tenure(over: {
  readonly shared?: boolean;
  readonly returned?: boolean;
  readonly rehearse?: () => void;
}): {
  readonly tenure: Tenure;
  readonly yields: () => number;
} {
  let yields = 0;
  const made = new Tenure({
    shared: over.shared ?? true,
    clusterId: OURS,
    returnedAt: over.returned ? START : undefined,
    rehearse: over.rehearse ?? (() => {}),
    onYield: () => yields++,
  });
  return { tenure: made, yields: () => yields };
}

describe('Tenure', () => {
  it('ends for a weftd of the same cluster', () => {
    const { tenure: made, yields } = tenure({});
    made.yieldTo(OURS, START);
    equal(yields(), 1);
  });

  it('goes on where the node is not shared', () => {
    const { tenure: made, yields } = tenure({ shared: false });
    throws(() => made.yieldTo(OURS, START), /makes room for no other/);
    equal(yields(), 0);
  });

  it('goes on where the other is of another cluster, and tells the start of both ids', () => {
    const { tenure: made, yields } = tenure({});
    throws(() => made.yieldTo(THEIRS, START), /of cluster 01234567…, the secret is of ffffffff…/);
    equal(yields(), 0);
  });

  it('goes on where no other could start, and says why', () => {
    const { tenure: made, yields } = tenure({
      rehearse: () => {
        throw new Error('the disk is full');
      },
    });
    throws(() => made.yieldTo(OURS, START), /the disk is full/);
    equal(yields(), 0);
  });

  it('goes on for a while after a successor failed, then ends for the next one', () => {
    const { tenure: made, yields } = tenure({ returned: true });
    throws(() => made.yieldTo(OURS, after(START, KEEP_AFTER_RETURN_MS - 1)), /took it back 60 s ago/);
    equal(yields(), 0);
    made.yieldTo(OURS, after(START, KEEP_AFTER_RETURN_MS));
    equal(yields(), 1);
  });
});
