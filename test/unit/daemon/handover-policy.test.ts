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
  readonly took: () => number | undefined;
} {
  let yields = 0;
  let took: number | undefined;
  const policy = new HandoverPolicy({
    shared: over.shared ?? true,
    clusterId: OURS,
    returnedAt: over.returned ? START : undefined,
    rehearse: over.rehearse ?? (() => {}),
    agree: (offer) => offer?.version,
    onYield: (version) => {
      yields++;
      took = version;
    },
  });
  return { policy, yields: () => yields, took: () => took };
}

describe('HandoverPolicy', () => {
  it('ends for a weftd of the same cluster', () => {
    const { policy, yields } = makePolicy({});
    policy.yieldTo(OURS, undefined, START);
    equal(yields(), 1);
  });

  it('hands its datapath over where that is agreed on', () => {
    const { policy, took } = makePolicy({});
    equal(policy.yieldTo(OURS, { version: 1, port: 6783, listen: [] }, START), 1);
    equal(took(), 1);
    equal(policy.yieldTo(OURS, undefined, START), undefined);
    equal(took(), undefined);
  });

  it('goes on where the node is not shared', () => {
    const { policy, yields } = makePolicy({ shared: false });
    throws(() => policy.yieldTo(OURS, undefined, START), /makes room for no other/);
    equal(yields(), 0);
  });

  it('goes on where the other is of another cluster, and tells the start of both ids', () => {
    const { policy, yields } = makePolicy({});
    throws(
      () => policy.yieldTo(THEIRS, undefined, START),
      /of cluster 01234567…, the secret is of ffffffff…/,
    );
    equal(yields(), 0);
  });

  it('goes on where no other could start, and says why', () => {
    const { policy, yields } = makePolicy({
      rehearse: () => {
        throw new Error('the disk is full');
      },
    });
    throws(() => policy.yieldTo(OURS, undefined, START), /the disk is full/);
    equal(yields(), 0);
  });

  it('goes on for a while after a successor failed, then ends for the next one', () => {
    const { policy, yields } = makePolicy({ returned: true });
    throws(
      () => policy.yieldTo(OURS, undefined, after(START, KEEP_AFTER_RETURN_MS - 1)),
      /took it back 60 s ago/,
    );
    equal(yields(), 0);
    policy.yieldTo(OURS, undefined, after(START, KEEP_AFTER_RETURN_MS));
    equal(yields(), 1);
  });
});
