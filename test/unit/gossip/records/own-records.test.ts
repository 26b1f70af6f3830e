import assert from 'node:assert/strict';
import { Counters } from '../../../../base/counters.ts';
import { instant } from '../../../../base/instant.ts';
import { GOSSIP_COUNTERS } from '../../../../gossip/model/gossip-counters.ts';
import { decodeNodeInfo, MAX_LINKS } from '../../../../gossip/model/node-info.ts';
import { recordKey, type SignedRecord } from '../../../../gossip/model/record.ts';
import { Forgotten } from '../../../../gossip/records/forgotten.ts';
import { OwnRecords } from '../../../../gossip/records/own-records.ts';
import { RecordIntake } from '../../../../gossip/records/record-intake.ts';
import { RecordStore } from '../../../../gossip/records/record-store.ts';
import { CLUSTER_ID, FakeCrypto, peer, signedRecord } from '../fakes.ts';

const self = peer(0);
const at = instant;
const info = {
  name: 'self',
  endpoints: [],
  noiseKey: new Uint8Array(32),
  version: '1',
  addresses: [],
  suites: 1,
  mtu: 1500,
  free: {},
};

function start(epoch = 5) {
  const counters = new Counters(GOSSIP_COUNTERS);
  const store = new RecordStore({ maxOrigins: 100, maxBytes: 1 << 20 });
  const crypto = new FakeCrypto(self);
  const intake = new RecordIntake({
    clusterId: CLUSTER_ID,
    crypto,
    store,
    forgotten: new Forgotten(),
    counters,
    leastWanted: () => undefined,
  });
  const own = new OwnRecords({ self, epoch, store, intake, counters });
  const due = (ms: number, links = [peer(1)]): SignedRecord[] => own.publishDue(links, at(ms));
  return { own, store, intake, counters, due };
}

function read(record: SignedRecord | undefined) {
  const decoded = decodeNodeInfo(record!.payload);
  assert.ok(decoded.ok);
  return decoded.value;
}

describe('own records', () => {
  it('begin at sequence 1 of the epoch and rise with each change', () => {
    const { own, due } = start();
    own.set('paxos', Uint8Array.of(1), at(0));
    own.set('paxos', Uint8Array.of(2), at(0));
    const [first, ...rest] = due(0);
    assert.deepEqual([first!.epoch, first!.sequence, [...first!.payload]], [5, 1, [2]]);
    assert.equal(rest.length, 0);
    own.set('paxos', Uint8Array.of(3), at(1));
    assert.equal(due(1)[0]!.sequence, 2);
    assert.deepEqual(own.keys(), [recordKey(self, 'paxos')]);
  });

  it('are not signed anew where they would say the same', () => {
    const { own, due } = start();
    own.setInfo(info, at(0));
    assert.equal(due(0).length, 1);
    own.setInfo(info, at(1));
    own.set('paxos', Uint8Array.of(1), at(1));
    assert.deepEqual(
      due(1).map(({ slot }) => slot),
      ['paxos'],
    );
    own.set('paxos', Uint8Array.of(1), at(2));
    assert.equal(due(2).length, 0);
    assert.equal(own.nextTimeout(), undefined);
  });

  it('are published at a bounded rate, and the last wish always is', () => {
    const { own, due } = start();
    let signed = 0;
    for (let ms = 0; ms < 10_000; ms += 10) {
      own.set('paxos', Uint8Array.of(ms & 255, ms >> 8), at(ms));
      signed += due(ms).length;
    }
    assert.ok(signed > 40 && signed < 60, `${signed} records in 10 s`);
    let last: SignedRecord | undefined;
    for (let next = own.nextTimeout(); next !== undefined; next = own.nextTimeout())
      last = due(next)[0] ?? last;
    assert.deepEqual([...last!.payload], [9990 & 255, 9990 >> 8]);
  });

  it('tell the links that we hold, not more than others read, and not at every flap', () => {
    const { own, due } = start();
    own.setInfo(info, at(0));
    const many = Array.from({ length: MAX_LINKS + 5 }, (_, i) => peer(i + 1));
    assert.equal(read(due(0, many)[0]).links.length, MAX_LINKS);
    let signed = 0;
    for (let ms = 1; ms < 10_000; ms += 50) {
      own.linksChanged(at(ms));
      signed += due(ms, [peer((ms % 7) + 1)]).length;
    }
    assert.ok(signed >= 3 && signed <= 5, `${signed} records in 10 s of flapping`);
  });

  it('refute once for each version told about, and no more than twice a second', () => {
    const { own, due } = start();
    own.setInfo(info, at(0));
    let held = due(0)[0]!;
    assert.equal(own.refute({ epoch: 4, sequence: 9 }, at(0)), false, 'a version not held');
    assert.equal(own.refute(held, at(0)), true);
    assert.equal(own.refute(held, at(0)), false, 'under way');
    held = due(0)[0]!;
    assert.equal(held.sequence, 2);
    let signed = 0;
    for (let ms = 1; ms <= 5000; ms += 1) {
      own.refute(held, at(ms));
      for (const record of due(ms)) {
        held = record;
        signed++;
      }
    }
    assert.ok(signed >= 9 && signed <= 10, `${signed} refutations in 5 s`);
  });

  it('say goodbye whatever the rate, and refute nothing after it', () => {
    const { own, due } = start();
    own.setInfo(info, at(0));
    for (let i = 0; i < 40; i++) {
      own.setInfo({ ...info, mtu: 1000 + i }, at(0));
      due(0);
    }
    own.leave(at(0));
    const goodbye = due(0)[0]!;
    assert.equal(read(goodbye).leaving, true);
    assert.equal(own.refute(goodbye, at(0)), false);
  });

  it('of a log are as new as they are long: nothing shorter is signed, and a start signs nothing anew', () => {
    const { own, intake, counters, due } = start(5);
    assert.ok(intake.take(signedRecord(self, 'ring', 0, 3, Uint8Array.of(1, 2, 3)), at(0)).ok);
    own.set('ring', Uint8Array.of(1, 2), at(1));
    assert.equal(due(1).length, 0);
    assert.equal(counters.get('gossip.ownBehind'), 1);
    own.set('ring', Uint8Array.of(1, 2, 3), at(2));
    assert.equal(due(2).length, 0);
    own.set('ring', Uint8Array.of(1, 2, 3, 4), at(3));
    const [record] = due(3);
    assert.deepEqual([record!.epoch, record!.sequence], [0, 4]);
  });

  it('wait for a higher epoch where others hold a later record of ours', () => {
    const { own, intake, counters, due } = start(5);
    own.set('paxos', Uint8Array.of(1), at(0));
    due(0);
    assert.ok(intake.take(signedRecord(self, 'paxos', 9, 1, Uint8Array.of(7)), at(1)).ok);
    own.set('paxos', Uint8Array.of(2), at(1));
    assert.equal(due(1).length, 0);
    assert.equal(counters.get('gossip.ownBehind'), 1);
    own.raiseEpoch(10, at(2));
    own.raiseEpoch(3, at(2));
    const [record] = due(2);
    assert.deepEqual([record!.epoch, record!.sequence, [...record!.payload]], [10, 1, [2]]);
  });
});
