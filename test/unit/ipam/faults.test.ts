import { deepEqual, equal, match } from 'node:assert/strict';
import type { PeerId } from '../../../base/peer-id.ts';
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
    faults: (alive: readonly PeerId[] = []) =>
      faultsOf({
        self: SELF,
        name: 'a',
        ranges: [V4],
        ring,
        log,
        peers: {
          isAlive: (peer) => alive.includes(peer),
          nameOf: (peer) => (peer === peerId(2) ? 'db-2' : undefined),
        },
        voteless: false,
      }),
  };
}

const codes = (faults: readonly { readonly code: string }[]): string[] => faults.map(({ code }) => code);

describe('limits of a ring', () => {
  it('says that a log will be full before it is, and that new nodes get nothing when it is', () => {
    const { log, fillTo, faults } = node();
    fillTo(0.7);
    deepEqual(codes(faults()), []);
    fillTo(0.75);
    deepEqual(codes(faults()), ['W_RING_LOG_FILLING']);
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
    deepEqual(codes(faults()), ['W_RING_CROWDED']);
  });
});

describe('two rings', () => {
  const theirs = logOf({ kind: 'genesis', genesis: genesisOf([peerId(2)], [V4], '99') });

  it('are warned of by the names of those who are there, for as long as they are', () => {
    const { ring, faults } = node();
    ring.merge(peerId(7), logOf({ kind: 'genesis', genesis: GENESIS }).bytes);
    for (let i = 2; i < 7; i++) ring.merge(peerId(i), theirs.bytes);
    deepEqual(faults(), []);
    const [fault] = faults([2, 3, 4, 5, 6].map(peerId));
    equal(fault!.code, 'E_RIVAL_RING');
    match(fault!.message, /: db-2 \(0002aaaa.*\), 0003aaaa.*, 0004aaaa.* and 2 more$/);
    deepEqual(faults(), []);
  });

  it('stop a node that is alone in its own, and it says how to join the other', () => {
    const { ring, faults } = node();
    ring.merge(peerId(2), theirs.bytes);
    const [fault] = faults([peerId(2)]);
    equal(fault!.code, 'E_TWO_RINGS');
    match(fault!.message, /alone in its ring.*db-2/);
    match(fault!.remedy, /weft reset/);
  });
});
