import assert from 'node:assert/strict';
import { type Instant, instant } from '../../../../base/instant.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { DEFAULT_GOSSIP_CONFIG } from '../../../../gossip/model/gossip-config.ts';
import { accuserOf, type Rumour } from '../../../../gossip/model/rumour.ts';
import { Membership } from '../../../../gossip/swim/membership.ts';
import { peer } from '../fakes.ts';

const V1 = { epoch: 1, sequence: 1 };
const V2 = { epoch: 1, sequence: 2 };
const subject = peer(1);
const at = (ms: number): Instant => instant(ms);

/** A membership with `others` live members beside the subject. */
function membershipOf(others = 0) {
  const changes: string[] = [];
  const rumours: Rumour[] = [];
  const doubts: PeerId[] = [];
  const membership = new Membership({
    self: peer(0),
    config: DEFAULT_GOSSIP_CONFIG,
    events: {
      changed: (who, state) => {
        if (who === subject) changes.push(state);
      },
      rumour: (rumour) => rumours.push(rumour),
      doubt: (who) => doubts.push(who),
    },
  });
  for (let i = 0; i < others; i++) membership.know(peer(10 + i), V1, false, 'alive', at(0));
  return { membership, changes, rumours, doubts };
}

const rumour = (state: Rumour['state'], version = V1, accuser = 2): Rumour => ({
  subject,
  state,
  version,
  accuser: accuserOf(peer(accuser)),
});

/** When the subject dies if nothing more happens. */
function deathAt(of: Membership, from: number): number {
  for (let ms = from; ms < 200_000; ms += 50) {
    of.tick(at(ms));
    if (of.stateOf(subject) === 'dead') return ms;
  }
  return Number.POSITIVE_INFINITY;
}

describe('membership', () => {
  it('says nothing of a member it knows from disk alone, until something is heard of it', () => {
    const { membership, changes } = membershipOf();
    membership.know(subject, V1, false, 'unknown', at(0));
    membership.rumour(rumour('suspect'), at(1));
    assert.equal(membership.stateOf(subject), 'unknown');
    membership.heard(subject, at(2));
    assert.deepEqual(changes, ['alive']);
  });

  it('believes hearsay of life about the unknown, and hearsay of death silently', () => {
    for (const [state, expected, events] of [
      ['alive', 'alive', ['alive']],
      ['dead', 'dead', []],
    ] as const) {
      const { membership, changes } = membershipOf();
      membership.know(subject, V1, false, 'unknown', at(0));
      membership.rumour(rumour(state), at(1));
      assert.equal(membership.stateOf(subject), expected);
      assert.deepEqual(changes, events);
    }
  });

  it('cannot be talked out of death by hearsay, only by the subject or its newer record', () => {
    const { membership } = membershipOf();
    membership.know(subject, V1, false, 'dead', at(0));
    membership.rumour(rumour('alive'), at(1));
    assert.equal(membership.stateOf(subject), 'dead');
    membership.know(subject, V2, false, 'alive', at(2));
    assert.equal(membership.stateOf(subject), 'alive');
  });

  it('ignores rumours about any version but the one held', () => {
    const { membership } = membershipOf();
    membership.know(subject, V2, false, 'alive', at(0));
    for (const version of [V1, { epoch: 1, sequence: 3 }, { epoch: 2, sequence: 0 }]) {
      membership.rumour(rumour('suspect', version), at(1));
      membership.rumour(rumour('dead', version), at(1));
    }
    assert.equal(membership.stateOf(subject), 'alive');
  });

  it('asks the subject when told that a live member is dead', () => {
    const { membership, doubts } = membershipOf();
    membership.know(subject, V1, false, 'alive', at(0));
    membership.rumour(rumour('dead'), at(1));
    assert.equal(membership.stateOf(subject), 'alive');
    assert.deepEqual(doubts, [subject]);
  });

  it('suspects, then declares dead, unless heard or refuted', () => {
    const { membership, changes } = membershipOf();
    membership.know(subject, V1, false, 'alive', at(0));
    membership.suspect(subject, at(0));
    membership.heard(subject, at(100));
    membership.suspect(subject, at(200));
    membership.know(subject, V2, false, 'unknown', at(300));
    membership.suspect(subject, at(400));
    assert.ok(Number.isFinite(deathAt(membership, 500)));
    assert.deepEqual(changes, ['alive', 'suspect', 'alive', 'suspect', 'alive', 'suspect', 'dead']);
  });

  it('waits the minimum in a small cluster, where nobody could confirm', () => {
    const { membership } = membershipOf(1);
    membership.know(subject, V1, false, 'alive', at(0));
    membership.suspect(subject, at(0));
    assert.equal(deathAt(membership, 0), 3000);
  });

  it('waits long for confirmations, and less with each independent one, never under the minimum', () => {
    const deaths = [1, 2, 3, 4].map((accusers) => {
      const { membership } = membershipOf(98);
      membership.know(subject, V1, false, 'alive', at(0));
      membership.suspect(subject, at(0));
      for (let i = 1; i < accusers; i++) {
        membership.rumour(rumour('suspect', V1, 20 + i), at(10));
        membership.rumour(rumour('suspect', V1, 20 + i), at(20)); // the same again counts once
      }
      return deathAt(membership, 50);
    });
    assert.equal(deaths[0], 24_000);
    assert.equal(deaths[3], 6000);
    for (let i = 1; i < 4; i++) assert.ok(deaths[i]! < deaths[i - 1]!);
  });

  it('cannot be made to bury a member by any number of slanders at once', () => {
    const { membership } = membershipOf(20);
    membership.know(subject, V1, false, 'alive', at(0));
    for (let i = 0; i < 100; i++) {
      membership.rumour(rumour('suspect', V1, i), at(0));
      membership.rumour(rumour('dead', V1, i), at(0));
    }
    assert.equal(membership.stateOf(subject), 'suspect');
    assert.ok(deathAt(membership, 0) >= 3000);
  });

  it('treats a goodbye as final until a newer record', () => {
    const { membership, changes } = membershipOf();
    membership.know(subject, V1, false, 'alive', at(0));
    membership.know(subject, V2, true, 'alive', at(1));
    membership.heard(subject, at(2));
    membership.suspect(subject, at(3));
    assert.deepEqual(changes, ['alive', 'left']);
    assert.equal(membership.rumourOf(subject), undefined);
    membership.know(subject, { epoch: 2, sequence: 1 }, false, 'alive', at(4));
    assert.deepEqual(changes, ['alive', 'left', 'alive']);
  });

  it('that left is as its teller says once it is back, and lives when it is heard, though the teller did not know', () => {
    const { membership, changes } = membershipOf();
    membership.know(subject, V1, true, 'alive', at(0));
    assert.equal(membership.stateOf(subject), 'left');
    // From somebody who has just started, and has the newer record from its disk.
    membership.know(subject, V2, false, 'unknown', at(1));
    assert.equal(membership.stateOf(subject), 'unknown');
    membership.heard(subject, at(2));
    assert.deepEqual(changes, ['left', 'alive']);
  });

  it('counts who is present, also after forgetting', () => {
    const { membership } = membershipOf(3);
    assert.equal(membership.presentCount, 4);
    membership.suspect(peer(10), at(0));
    assert.equal(membership.presentCount, 4);
    membership.tick(at(1_000_000));
    assert.equal(membership.presentCount, 3);
    membership.forget(peer(10));
    membership.forget(peer(11));
    assert.equal(membership.presentCount, 2);
    assert.equal(membership.nextTimeout(), undefined);
  });
});
