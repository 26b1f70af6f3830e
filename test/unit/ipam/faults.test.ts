import { deepEqual, equal, match } from 'node:assert/strict';
import { faultsOf } from '../../../ipam/faults.ts';
import { OwnLog } from '../../../ipam/ring/own-log.ts';
import { ORIGIN_LIMIT, Ring } from '../../../ipam/ring/ring.ts';
import { MemoryStore } from './memory-store.ts';
import { cidr, genesisOf, logOf, peerId, V4 } from './support.ts';

const SELF = peerId(1);
const GENESIS = genesisOf([SELF]);

/** A node that owns everything, and what it says of itself. */
function node() {
  const ring = new Ring(SELF);
  const log = new OwnLog({ self: SELF, ring, store: new MemoryStore(), ranges: [V4] });
  log.append([{ kind: 'genesis', genesis: GENESIS }]);
  let granted = 0;
  return {
    ring,
    log,
    /** Grants single addresses, each to a peer of its own, until the room for grants is used to this part. */
    fillTo(part: number): void {
      for (; log.fill < part; granted++) {
        const range = cidr(`10.32.${granted >> 8}.${granted & 255}/32`);
        log.append([{ kind: 'grant', range, to: peerId(10 + granted), version: 1 }]);
      }
    },
    faults: () => faultsOf({ self: SELF, name: 'a', ranges: [V4], ring, log, voteless: false }),
  };
}

const codes = (faults: readonly { readonly code: string }[]): string[] => faults.map(({ code }) => code);

describe('limits of a ring', () => {
  it('says that a log will be full before it is, and that new nodes get nothing when it is', () => {
    const { log, fillTo, faults } = node();
    fillTo(0.7);
    deepEqual(codes(faults()), []);
    fillTo(0.75);
    deepEqual(codes(faults()), ['E_RING_LOG_FILLING']);
    match(faults()[0]!.message, /^the log of .* is 75 % full/);
    equal(log.hasRoomForGrants, true);
    fillTo(1.001);
    equal(log.hasRoomForGrants, false);
    log.refuseGrant();
    deepEqual(codes(faults()), ['E_RING_LOG_FULL']);
    match(faults()[0]!.remedy, /delete its Node/);
  });

  it('says that identities will run out before they do', () => {
    const { ring, faults } = node();
    const others = logOf({ kind: 'genesis', genesis: GENESIS });
    const join = (count: number): void => {
      for (let i = ring.origins; i < count; i++) ring.merge(peerId(1 + i), others.bytes);
    };
    join(0.75 * ORIGIN_LIMIT - 1);
    deepEqual(codes(faults()), []);
    join(0.75 * ORIGIN_LIMIT);
    deepEqual(codes(faults()), ['E_RING_CROWDED']);
  });
});
