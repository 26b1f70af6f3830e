import assert from 'node:assert/strict';
import { Counters } from '../../../base/counters.ts';
import type { Endpoint } from '../../../base/endpoint.ts';
import { type Instant, instant } from '../../../base/instant.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import { Gossip } from '../../../gossip/gossip.ts';
import { MAX_OFFENCES } from '../../../gossip/link-upkeep.ts';
import type { GossipConfig } from '../../../gossip/model/gossip-config.ts';
import { GOSSIP_COUNTERS } from '../../../gossip/model/gossip-counters.ts';
import type { OwnInfo } from '../../../gossip/model/gossip-options.ts';
import type { GossipOutput, MemberState } from '../../../gossip/model/gossip-output.ts';
import { decodeNodeInfo, encodeNodeInfo, type NodeInfo } from '../../../gossip/model/node-info.ts';
import type { SignedRecord } from '../../../gossip/model/record.ts';
import { accuserOf } from '../../../gossip/model/rumour.ts';
import { decodeFrame, encodeFrame, type Frame, MAX_FRAME_LENGTH } from '../../../gossip/records/frame.ts';
import { seededRandom } from '../../seeded-random.ts';
import { CLUSTER_ID, FakeCrypto, peer, signedRecord } from './fakes.ts';

const self = peer(0);
const far = '192.0.2.9:40000' as Endpoint;
const own = '192.0.2.1:6783' as Endpoint;
const seed = '192.0.2.2:6783' as Endpoint;
const at = (ms: number): Instant => instant(ms);
const ownInfo: OwnInfo = {
  name: 'self',
  endpoints: [own],
  noiseKey: new Uint8Array(32),
  version: '1',
  addresses: [],
  suites: 1,
  mtu: 1500,
  free: {},
};

function start(config: Partial<GossipConfig> = {}, restored: SignedRecord[] = [], epoch = 5) {
  const crypto = new FakeCrypto(self);
  const counters = new Counters(GOSSIP_COUNTERS);
  const gossip = new Gossip({
    self,
    clusterId: CLUSTER_ID,
    epoch,
    crypto,
    random: seededRandom(1),
    counters,
    config,
  });
  gossip.restore(restored, at(0));
  gossip.setInfo(ownInfo, at(0));
  const drain = (): GossipOutput[] => {
    const out: GossipOutput[] = [];
    for (let next = gossip.poll(); next; next = gossip.poll()) out.push(next);
    return out;
  };
  /** Runs the timers up to `until` and returns all outputs. */
  const run = (until: number): GossipOutput[] => {
    const out = drain();
    for (let next = gossip.nextTimeout(); next !== undefined && next <= until; next = gossip.nextTimeout()) {
      gossip.tick(next);
      out.push(...drain());
    }
    return out;
  };
  const open = (link: number, to: PeerId, ms = 0): void => gossip.linkOpened(link, to, false, far, at(ms));
  return { gossip, crypto, counters, drain, run, open };
}

function nodeRecord(origin: PeerId, sequence = 1, change: Partial<NodeInfo> = {}, epoch = 1): SignedRecord {
  const info = { ...ownInfo, name: 'other', endpoints: [], links: [], ...change };
  return signedRecord(origin, 'node', epoch, sequence, encodeNodeInfo(info));
}

function records(list: SignedRecord[], state: MemberState = 'unknown'): Uint8Array {
  return encodeFrame({ kind: 'records', records: list.map((record) => ({ record, state })) });
}

const of = <T extends GossipOutput['type']>(
  type: T,
  out: GossipOutput[],
): Extract<GossipOutput, { type: T }>[] =>
  out.filter((each): each is Extract<GossipOutput, { type: T }> => each.type === type);

function framesTo(link: number, out: GossipOutput[]): Frame[] {
  return of('frame', out)
    .filter((each) => each.link === link)
    .map(({ bytes }) => {
      const decoded = decodeFrame(bytes);
      assert.ok(decoded.ok);
      return decoded.value;
    });
}

const infoOf = (gossip: Gossip): NodeInfo => {
  const info = decodeNodeInfo(gossip.record(self, 'node')!.payload);
  assert.ok(info.ok);
  return info.value;
};

describe('gossip', () => {
  it('dials its seeds at once and again after a failure, until they are forgotten', () => {
    const { gossip, run } = start();
    gossip.setSeeds([seed], at(0));
    assert.deepEqual(
      of('dial', run(50)).map((each) => each.endpoint),
      [seed],
    );
    gossip.dialFailed(seed, at(60));
    assert.equal(of('dial', run(1500)).length, 1);
    gossip.dialFailed(seed, at(1500));
    gossip.forget(seed, at(1500));
    assert.equal(of('dial', run(60_000)).length, 0);
  });

  it('stops dialling an address where it meets itself', () => {
    const { gossip, run, drain } = start();
    gossip.setSeeds([seed], at(0));
    run(50);
    gossip.linkOpened(1, self, true, seed, at(60));
    gossip.linkOpened(2, self, false, far, at(60));
    assert.deepEqual(of('closeLink', drain()), [
      { type: 'closeLink', link: 1, reason: 'self' },
      { type: 'closeLink', link: 2, reason: 'self' },
    ]);
    gossip.setSeeds([], at(70));
    gossip.setSeeds([seed], at(80));
    assert.equal(of('dial', run(120_000)).length, 0);
  });

  it('dials the endpoints in records, and knows them again after a restart', () => {
    const known = nodeRecord(peer(1), 1, { endpoints: [seed] });
    const { run, gossip } = start({}, [known]);
    assert.deepEqual(
      gossip.members().map(({ state }) => state),
      ['unknown'],
    );
    const out = run(2000);
    assert.deepEqual(of('dial', out)[0], { type: 'dial', endpoint: seed, expected: peer(1) });
    assert.deepEqual(
      of('record', out).filter((each) => each.restored),
      [{ type: 'record', record: known, restored: true }],
    );
  });

  it('drops damaged records of its own disk', () => {
    const good = nodeRecord(peer(1));
    const { gossip, counters } = start({}, [{ ...good, signature: new Uint8Array(64) }]);
    assert.deepEqual(gossip.members(), []);
    assert.equal(counters.get('gossip.restoreBadSignature'), 1);
  });

  it('hands out a verified record before the news that its origin lives', () => {
    const { gossip, open, drain } = start();
    open(1, peer(1));
    drain();
    gossip.handleFrame(1, records([nodeRecord(peer(1))]), at(10));
    assert.deepEqual(
      drain()
        .map((each) => each.type)
        .filter((type) => type !== 'frame'),
      ['record', 'member'],
    );
  });

  it('passes a new record on to the other links and not back', () => {
    const { gossip, open, run } = start();
    for (let link = 1; link <= 3; link++) open(link, peer(link));
    run(1000);
    gossip.handleFrame(1, records([nodeRecord(peer(50), 3)]), at(1000));
    const out = run(1100);
    const has = (link: number): boolean =>
      framesTo(link, out).some(
        (frame) => frame.kind === 'records' && frame.records[0]?.record.origin === peer(50),
      );
    assert.deepEqual([1, 2, 3].map(has), [false, true, true]);
  });

  it('answers an equal digest with silence', () => {
    const a = start();
    a.open(1, peer(1));
    const digest = framesTo(1, a.run(12_000)).findLast((frame) => frame.kind === 'digest');
    assert.ok(digest);
    a.drain();
    a.gossip.handleFrame(1, encodeFrame(digest), at(12_001));
    assert.deepEqual(a.drain(), []);
    a.gossip.handleFrame(1, encodeFrame({ kind: 'digest', root: new Uint8Array(8) }), at(12_002));
    assert.deepEqual(
      framesTo(1, a.drain()).map((frame) => frame.kind),
      ['buckets'],
    );
  });

  it('tells of a peer whose own record breaks the rules, and of nobody on the word of another', () => {
    const { gossip, open, drain, counters } = start();
    open(1, peer(1));
    drain();
    gossip.handleFrame(1, records([nodeRecord(peer(2), 1, { mtu: 65_536 })]), at(10));
    assert.deepEqual(of('recordRefused', drain()), []);
    gossip.handleFrame(1, records([nodeRecord(peer(1), 1, { mtu: 65_536 })]), at(20));
    assert.deepEqual(of('recordRefused', drain()), [{ type: 'recordRefused', peer: peer(1) }]);
    assert.equal(counters.get('gossip.recordBadPayload'), 2);
  });

  it('closes the link after repeated forgeries, having verified no more than those, and shuts the peer out', () => {
    const { gossip, crypto, open, drain } = start();
    open(1, peer(1));
    drain();
    const before = crypto.verifications;
    const forged = Array.from({ length: 100 }, (_, i) => ({
      ...nodeRecord(peer(100 + i)),
      signature: new Uint8Array(64),
    }));
    gossip.handleFrame(1, records(forged), at(10));
    assert.equal(crypto.verifications - before, MAX_OFFENCES);
    assert.deepEqual(of('closeLink', drain()), [{ type: 'closeLink', link: 1, reason: 'offence' }]);
    open(2, peer(1), 20);
    assert.deepEqual(of('closeLink', drain()), [{ type: 'closeLink', link: 2, reason: 'banned' }]);
    open(3, peer(1), 61_000);
    assert.deepEqual(of('closeLink', drain()), []);
    assert.deepEqual(gossip.members(), []);
  });

  it('closes the link after repeated malformed or oversized frames, but not for frames of the future', () => {
    const { gossip, open, drain, counters } = start();
    open(1, peer(1));
    for (let i = 0; i < 50; i++) {
      assert.deepEqual(gossip.handleFrame(1, Uint8Array.of(9, 9, 9), at(i)), {
        ok: false,
        reason: 'unknown',
      });
      assert.deepEqual(gossip.handleFrame(1, Uint8Array.of(1, 200, 0xc0), at(i)), {
        ok: false,
        reason: 'unknown',
      });
    }
    assert.deepEqual(of('closeLink', drain()), []);
    assert.equal(counters.get('gossip.messageUnknown'), 100);
    gossip.handleFrame(1, new Uint8Array(MAX_FRAME_LENGTH + 1), at(60));
    gossip.handleFrame(1, Uint8Array.of(1, 1, 0xc1), at(60));
    gossip.handleFrame(1, Uint8Array.of(1, 2, 0xc0), at(60));
    assert.deepEqual(
      of('closeLink', drain()).map((each) => each.reason),
      ['offence'],
    );
    assert.deepEqual(gossip.handleFrame(1, encodeFrame({ kind: 'keepalive' }), at(61)), {
      ok: false,
      reason: 'link',
    });
  });

  it('answers so many questions at once and no more', () => {
    const { gossip, open, drain } = start();
    open(1, peer(1));
    drain();
    const question = encodeFrame({ kind: 'digest', root: new Uint8Array(8) });
    for (let i = 0; i < 1000; i++) gossip.handleFrame(1, question, at(10));
    assert.equal(drain().length, 40);
  });

  it('refutes a suspicion of itself with a newer record, at a bounded rate', () => {
    const { gossip, open, run } = start();
    open(1, peer(1));
    run(5000);
    const versions = new Set<number>();
    for (let ms = 5000; ms < 15_000; ms += 20) {
      const { epoch, sequence } = gossip.record(self, 'node')!;
      versions.add(sequence);
      const rumours = [
        { subject: self, state: 'dead' as const, accuser: accuserOf(peer(1)), version: { epoch, sequence } },
      ];
      gossip.handleFrame(1, encodeFrame({ kind: 'rumours', rumours }), at(ms));
      run(ms);
    }
    assert.ok(versions.size >= 10 && versions.size <= 25, `${versions.size} versions in 10 s`);
  });

  it('is not moved by a suspicion of a version that it never published', () => {
    const { gossip, open, run } = start();
    open(1, peer(1));
    run(5000);
    const { sequence } = gossip.record(self, 'node')!;
    const rumours = [
      {
        subject: self,
        state: 'dead' as const,
        accuser: accuserOf(peer(1)),
        version: { epoch: 2 ** 40, sequence: 1 },
      },
    ];
    gossip.handleFrame(1, encodeFrame({ kind: 'rumours', rumours }), at(5000));
    run(10_000);
    assert.equal(gossip.record(self, 'node')!.sequence, sequence);
  });

  it('tells when a peer holds a record of ours from a later boot, and goes on above it once the epoch is raised', () => {
    const { gossip, open, run, drain } = start({}, [], 5);
    open(1, peer(1));
    run(1000);
    const ahead = signedRecord(self, 'paxos', 9, 3, Uint8Array.of(1));
    gossip.handleFrame(1, records([ahead]), at(1000));
    assert.deepEqual(of('ownRecordAhead', drain()), [{ type: 'ownRecordAhead', record: ahead }]);
    gossip.publish('paxos', Uint8Array.of(2), at(1100));
    run(5000);
    assert.deepEqual(gossip.record(self, 'paxos'), ahead, 'nothing is published that nobody would take');
    gossip.raiseEpoch(10, at(5000));
    run(6000);
    assert.deepEqual(
      { ...gossip.record(self, 'paxos'), signature: 0 },
      {
        origin: self,
        slot: 'paxos',
        epoch: 10,
        sequence: 1,
        payload: Uint8Array.of(2),
        signature: 0,
      },
    );
    assert.equal(gossip.record(self, 'node')!.epoch, 10);
  });

  it('proves equivocation once', () => {
    const { gossip, open, drain } = start();
    open(1, peer(1));
    const both = [1, 2, 3].map((n) => signedRecord(peer(7), 'paxos', 1, 1, Uint8Array.of(n)));
    for (const record of both) gossip.handleFrame(1, records([record]), at(10));
    assert.equal(of('equivocation', drain()).length, 1);
  });

  it('publishes its links, debounced', () => {
    const { gossip, open, run } = start();
    run(1000);
    const before = gossip.record(self, 'node')!.sequence;
    for (let i = 1; i <= 6; i++) open(i, peer(i), 1000 + i);
    for (let i = 1; i <= 5; i++) gossip.linkClosed(i, at(1100 + i));
    run(5000);
    assert.deepEqual(infoOf(gossip).links, [peer(6)]);
    assert.ok(gossip.record(self, 'node')!.sequence - before <= 2);
  });

  it('publishes no more often than others take, and ends with the last wish', () => {
    const { gossip, run } = start();
    for (let i = 0; i < 1000; i++) {
      gossip.publish('paxos', Uint8Array.of(i & 255, i >> 8), at(i));
      run(i);
    }
    run(2000);
    const record = gossip.record(self, 'paxos')!;
    assert.deepEqual(record.payload, Uint8Array.of(999 & 255, 999 >> 8));
    assert.ok(record.sequence <= 20, `${record.sequence}`);
  });

  it('says nothing on a congested link but what is newest when it drains, and gives it up in time', () => {
    const { gossip, open, run, drain } = start();
    open(1, peer(1));
    run(5000);
    gossip.linkCongested(1, true, at(5000));
    for (let n = 1; n <= 50; n++) {
      gossip.publish('paxos', Uint8Array.of(n), at(5000 + 100 * n));
      gossip.handleFrame(1, encodeFrame({ kind: 'keepalive' }), at(5000 + 100 * n));
      assert.equal(framesTo(1, run(5000 + 100 * n)).length, 0);
    }
    gossip.linkCongested(1, false, at(10_500));
    const sent = framesTo(1, run(11_500)).flatMap((frame) => (frame.kind === 'records' ? frame.records : []));
    const rings = sent.filter(({ record }) => record.slot === 'paxos').map(({ record }) => record.payload[0]);
    assert.equal(rings.at(-1), 50);
    assert.ok(rings.length <= 2, 'the last held, and the wish that its rate had delayed');
    gossip.linkCongested(1, true, at(12_000));
    for (let ms = 12_000; ms < 45_000; ms += 1000) {
      gossip.handleFrame(1, encodeFrame({ kind: 'keepalive' }), at(ms));
      gossip.tick(at(ms));
    }
    assert.deepEqual(
      of('closeLink', drain()).map((each) => each.reason),
      ['silent'],
    );
  });

  it('closes a silent link, and keeps one alive that says something', () => {
    const { gossip, open, run } = start();
    open(1, peer(1));
    open(2, peer(2));
    const out: GossipOutput[] = [];
    for (let ms = 1000; ms <= 20_000; ms += 1000) {
      gossip.handleFrame(2, encodeFrame({ kind: 'keepalive' }), at(ms));
      out.push(...run(ms));
    }
    assert.deepEqual(of('closeLink', out), [{ type: 'closeLink', link: 1, reason: 'silent' }]);
    assert.ok(framesTo(2, out).length >= 4);
  });

  it('sheds links above its limit, with somewhere else to go', () => {
    const { gossip, open, run } = start({ maxIncoming: 4 });
    for (let i = 1; i <= 6; i++) {
      open(i, peer(i));
      const endpoints = [`192.0.2.${100 + i}:6783` as Endpoint];
      const links = Array.from({ length: i }, (_, k) => peer(500 + k));
      gossip.handleFrame(i, records([nodeRecord(peer(i), 1, { endpoints, links })]), at(10));
    }
    const out = run(1000);
    assert.deepEqual(
      of('closeLink', out)
        .map(({ link, reason }) => [link, reason])
        .sort(),
      [
        [5, 'full'],
        [6, 'full'],
      ],
    );
    const redirect = framesTo(6, out).find((frame) => frame.kind === 'redirect');
    assert.ok(redirect?.kind === 'redirect' && redirect.endpoints.length > 0);
    assert.ok(!redirect.endpoints.includes('192.0.2.106:6783' as Endpoint), 'not to itself');
  });

  it('holds a bounded number of origins, and never lets go of a ring record', () => {
    const { gossip, open, run, drain } = start({ maxOrigins: 10 });
    open(1, peer(1));
    const gone: GossipOutput[] = [];
    for (let n = 0; n < 8; n++) {
      gossip.handleFrame(
        1,
        records([signedRecord(peer(100 + n), n < 4 ? 'ring' : 'paxos', n < 4 ? 0 : 1, 1, Uint8Array.of(1))]),
        at(n),
      );
    }
    for (let n = 0; n < 200; n++) {
      const ms = 100 + n * 500;
      gossip.handleFrame(1, records([nodeRecord(peer(1000 + n))]), at(ms));
      gone.push(...of('recordGone', drain()));
    }
    run(100_500);
    for (let n = 0; n < 4; n++) assert.ok(gossip.record(peer(100 + n), 'ring'), `ring ${n}`);
    assert.ok(gossip.members().length <= 10);
    assert.ok(gone.length > 20);
    for (const out of gone) assert.ok(out.type === 'recordGone' && out.slot !== 'ring');
  });

  it('says goodbye and does nothing more', () => {
    const { gossip, open, run, drain } = start();
    open(1, peer(1));
    run(1000);
    gossip.leave(at(1000));
    const out = drain();
    const said = framesTo(1, out).flatMap((frame) => (frame.kind === 'records' ? frame.records : []));
    assert.equal(said.length, 1);
    const info = decodeNodeInfo(said[0]!.record.payload);
    assert.ok(info.ok && info.value.leaving);
    assert.deepEqual(of('closeLink', out), [{ type: 'closeLink', link: 1, reason: 'leaving' }]);
    assert.equal(gossip.nextTimeout(), undefined);
    open(2, peer(2), 1100);
    assert.deepEqual(of('closeLink', drain()), [{ type: 'closeLink', link: 2, reason: 'leaving' }]);
  });
});
