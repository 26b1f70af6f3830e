import assert from 'node:assert/strict';
import { Counters } from '../../../../base/counters.ts';
import { instant } from '../../../../base/instant.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { GOSSIP_COUNTERS } from '../../../../gossip/model/gossip-counters.ts';
import { encodeNodeInfo } from '../../../../gossip/model/node-info.ts';
import { compareRecords, type SignedRecord, signedBytes } from '../../../../gossip/model/record.ts';
import { Forgotten } from '../../../../gossip/records/forgotten.ts';
import { RecordIntake, UPDATE_BURST, UPDATES_PER_SECOND } from '../../../../gossip/records/record-intake.ts';
import { RecordStore } from '../../../../gossip/records/record-store.ts';
import { CLUSTER_ID, FakeCrypto, fakeHash, peer, signedRecord } from '../fakes.ts';

function intakeOf(
  limits = { maxOrigins: 100, maxBytes: 100_000 },
  leastWanted: () => PeerId | undefined = () => undefined,
) {
  const store = new RecordStore(limits);
  const crypto = new FakeCrypto(peer(0));
  const counters = new Counters(GOSSIP_COUNTERS);
  const forgotten = new Forgotten();
  return {
    store,
    crypto,
    counters,
    intake: new RecordIntake({ clusterId: CLUSTER_ID, crypto, store, forgotten, counters, leastWanted }),
  };
}

const at = (ms: number) => instant(ms);
const ring = (sequence: number, payload = 1, origin = 1): SignedRecord =>
  signedRecord(peer(origin), 'paxos', 1, sequence, Uint8Array.of(payload));

describe('record intake', () => {
  it('takes a genuine newer record and tells what it replaces', () => {
    const { intake, store } = intakeOf();
    assert.ok(intake.take(ring(1), at(0)).ok);
    const taken = intake.take(ring(2), at(0));
    assert.ok(taken.ok);
    assert.equal(taken.value.previous?.sequence, 1);
    assert.equal(store.get(peer(1), 'paxos')?.record.sequence, 2);
  });

  it('never verifies what is not newer', () => {
    const { intake, crypto } = intakeOf();
    intake.take(ring(5), at(0));
    const before = crypto.verifications;
    for (const each of [ring(5), ring(4), { ...ring(3), signature: new Uint8Array(64) }]) {
      assert.deepEqual(intake.take(each, at(0)), { ok: false, reason: 'stale' });
    }
    assert.equal(crypto.verifications, before);
  });

  it('refuses a forged record and one of another cluster, and holds neither', () => {
    const { intake, store } = intakeOf();
    const forged = { ...ring(1), payload: Uint8Array.of(9) };
    const foreign = signedRecord(peer(1), 'paxos', 1, 1, Uint8Array.of(1), new Uint8Array(16));
    const stolen = { ...ring(1), origin: peer(2) };
    for (const each of [forged, foreign, stolen]) {
      assert.deepEqual(intake.take(each, at(0)), { ok: false, reason: 'signature' });
    }
    assert.equal(store.originCount, 0);
  });

  it('refuses a node record whose payload is no node info without verifying it', () => {
    const { intake, crypto } = intakeOf();
    const bad = signedRecord(peer(1), 'node', 1, 1, Uint8Array.of(1, 2, 3));
    assert.deepEqual(intake.take(bad, at(0)), { ok: false, reason: 'payload' });
    assert.equal(crypto.verifications, 0);
  });

  it('takes a burst of updates of one origin, then so many a second, and forgeries use nothing of that up', () => {
    const { intake } = intakeOf();
    let sequence = 0;
    for (let i = 0; i < 100; i++) intake.take({ ...ring(1000 + i), payload: Uint8Array.of(77) }, at(0));
    for (let i = 0; i < UPDATE_BURST; i++) assert.ok(intake.take(ring(++sequence), at(0)).ok);
    assert.deepEqual(intake.take(ring(++sequence), at(0)), { ok: false, reason: 'rate' });
    assert.ok(intake.take(ring(1, 1, 2), at(0)).ok, 'another origin has its own allowance');
    let taken = 0;
    for (let ms = 0; ms <= 10_000; ms += 10) if (intake.take(ring(++sequence), at(ms)).ok) taken++;
    assert.ok(Math.abs(taken - 10 * UPDATES_PER_SECOND) <= 1, `${taken}`);
  });

  it('keeps the same of two equivocating records in either order, with the proof, told once', () => {
    const pair = [ring(7, 1), ring(7, 2)] as const;
    const hash = (record: SignedRecord): Uint8Array => fakeHash(signedBytes(CLUSTER_ID, record));
    const [winner, loser] =
      compareRecords({ record: pair[0], hash: hash(pair[0]) }, { record: pair[1], hash: hash(pair[1]) }) > 0
        ? pair
        : ([pair[1], pair[0]] as const);
    for (const order of [
      [winner, loser],
      [loser, winner],
    ] as const) {
      const { intake, store, crypto } = intakeOf();
      intake.take(order[0], at(0));
      const second = intake.take(order[1], at(0));
      assert.ok(second.ok);
      assert.deepEqual(second.value.record, winner);
      assert.deepEqual(second.value.equivocation, loser);
      assert.deepEqual(store.get(peer(1), 'paxos')?.record, winner);
      const verified = crypto.verifications;
      assert.deepEqual(intake.take(loser, at(0)), { ok: false, reason: 'stale' });
      assert.equal(crypto.verifications, verified);
    }
  });

  it('takes no forged proof', () => {
    const { intake, store } = intakeOf();
    intake.take(ring(7, 1), at(0));
    for (let payload = 2; payload < 20; payload++) {
      const forged = { ...ring(7, 1), payload: Uint8Array.of(payload) };
      assert.deepEqual(intake.take(forged, at(0)), { ok: false, reason: 'signature' });
    }
    assert.equal(store.get(peer(1), 'paxos')?.record.payload[0], 1);
  });

  it('makes room for a new origin by forgetting the least wanted one, at a bounded rate', () => {
    const paxos = (n: number): SignedRecord => signedRecord(peer(n), 'paxos', 1, 1, Uint8Array.of(1));
    const held: PeerId[] = [];
    const { intake, store } = intakeOf({ maxOrigins: 3, maxBytes: 1000 }, () => held.shift());
    for (const n of [1, 2, 3]) {
      assert.ok(intake.take(paxos(n), at(0)).ok);
      held.push(peer(n));
    }
    const taken = intake.take(paxos(4), at(0));
    assert.ok(taken.ok);
    assert.deepEqual(taken.value.evicted, [{ origin: peer(1), slot: 'paxos' }]);
    assert.equal(store.originCount, 3);
    for (let n = 5; n < 100; n++) {
      if (intake.take(paxos(n), at(0)).ok) held.push(peer(n));
    }
    assert.deepEqual(intake.take(paxos(200), at(0)), { ok: false, reason: 'full' });
    assert.ok(intake.take(paxos(200), at(5000)).ok);
    assert.equal(store.originCount, 3);
  });

  it('refuses a new origin where nothing may be forgotten, before verifying', () => {
    const { intake, crypto } = intakeOf({ maxOrigins: 1, maxBytes: 1000 });
    intake.take(ring(1), at(0));
    const before = crypto.verifications;
    assert.deepEqual(intake.take(ring(1, 1, 2), at(0)), { ok: false, reason: 'full' });
    assert.equal(crypto.verifications, before);
  });

  it('restores from disk only what verifies', () => {
    const { intake, store } = intakeOf();
    const info = encodeNodeInfo({
      name: 'a',
      endpoints: [],
      noiseKey: new Uint8Array(32),
      version: '1',
      links: [],
      addresses: [],
      suites: 1,
      mtu: 1500,
      free: {},
    });
    const good = intake.restore(signedRecord(peer(1), 'node', 1, 1, info));
    assert.ok(good.ok && good.value.info?.name === 'a');
    assert.deepEqual(intake.restore({ ...ring(1), payload: Uint8Array.of(3) }), {
      ok: false,
      reason: 'signature',
    });
    assert.deepEqual(intake.restore({ ...ring(1), epoch: -1 }), { ok: false, reason: 'payload' });
    assert.equal(store.recordCount, 1);
  });
});
