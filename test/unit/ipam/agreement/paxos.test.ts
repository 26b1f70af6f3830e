import assert from 'node:assert/strict';
import { instant } from '../../../../base/instant.ts';
import { decodeRow, encodeRow, GenesisPaxos, type PaxosRow } from '../../../../ipam/agreement/paxos.ts';
import { encodeGenesis } from '../../../../ipam/model/genesis.ts';
import type { Ballot } from '../../../../ipam/ring/ring-log.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { MemoryStore } from '../memory-store.ts';
import { genesisOf, peerId, V4 } from '../support.ts';

const [A, B, C] = [peerId(1), peerId(2), peerId(3)];
const [X, Y] = [encodeGenesis(genesisOf([A], [V4], '11')), encodeGenesis(genesisOf([B], [V4], '22'))];
const electorate = ['a', 'b', 'c'];
const start = instant(0);

function elector(store = new MemoryStore()): GenesisPaxos {
  return new GenesisPaxos({
    self: A,
    name: 'a',
    electorate,
    random: seededRandom(1),
    store,
    propose: () => X,
  });
}

function row(name: string, promised: Ballot, accepted?: PaxosRow['accepted']): Uint8Array {
  return encodeRow({ name, promised, accepted });
}

function rowOf(paxos: GenesisPaxos): PaxosRow | undefined {
  const bytes = paxos.takeRow();
  const decoded = bytes && decodeRow(bytes);
  return decoded?.ok ? decoded.value : undefined;
}

const ballot = (round: number, proposer = B): Ballot => ({ round, proposer });

describe('an elector', () => {
  it('keeps a promise over a restart, and does not accept beneath it', () => {
    const store = new MemoryStore();
    const before = elector(store);
    before.handleRow(B, row('b', ballot(5)), start);
    assert.deepEqual(rowOf(before)?.promised, ballot(5));
    store.flush();
    store.crash();
    const again = elector(store);
    again.handleRow(C, row('c', ballot(3, C), { ballot: ballot(3, C), value: Y }), start);
    const after = rowOf(again)!;
    assert.deepEqual(after.promised, ballot(5));
    assert.equal(after.accepted, undefined);
  });

  it('keeps what it accepted over a restart, and proposes that rather than its own', () => {
    const store = new MemoryStore();
    const before = elector(store);
    before.handleRow(B, row('b', ballot(1), { ballot: ballot(1), value: Y }), start);
    before.takeRow();
    store.flush();
    const again = elector(store);
    again.handleRow(C, row('c', { round: 0, proposer: C }), start);
    for (let at = 0; at < 5000; at += 50) again.tick(instant(at));
    const asked = rowOf(again)!;
    assert.ok(asked.promised.round > 1 && asked.promised.proposer === A);
    again.handleRow(C, row('c', asked.promised), instant(5000));
    const chosen = rowOf(again)!;
    assert.deepEqual(chosen.accepted, { ballot: asked.promised, value: Y });
    assert.deepEqual(again.decided, undefined);
    again.handleRow(C, row('c', asked.promised, { ballot: asked.promised, value: Y }), instant(5001));
    assert.deepEqual(again.decided, Y);
  });

  it('accepts a value only from the proposer of its ballot', () => {
    const paxos = elector();
    paxos.handleRow(C, row('c', ballot(1), { ballot: ballot(1), value: Y }), start);
    assert.equal(rowOf(paxos)?.accepted, undefined);
  });

  it('does not count a name under a second identity, nor one that is not listed', () => {
    const paxos = elector();
    assert.ok(paxos.handleRow(B, row('b', ballot(0)), start).ok);
    assert.deepEqual(paxos.handleRow(peerId(9), row('b', ballot(7)), start), {
      ok: false,
      reason: 'name-taken',
    });
    assert.deepEqual(paxos.handleRow(B, row('c', ballot(7)), start), { ok: false, reason: 'name-taken' });
    assert.deepEqual(paxos.handleRow(C, row('z', ballot(7)), start), { ok: false, reason: 'not-listed' });
    assert.deepEqual(rowOf(paxos)?.promised.round, 0);
  });

  it('stands back when its name has a vote under an older identity, also after a restart, yet learns the outcome', () => {
    const store = new MemoryStore();
    const old = peerId(8);
    const paxos = elector(store);
    const accepted = { ballot: ballot(1), value: Y };
    assert.ok(paxos.handleRow(old, row('a', ballot(1), accepted), start).ok);
    assert.ok(paxos.abstains);
    assert.equal(paxos.takeRow(), undefined);
    store.flush();
    const again = elector(store);
    assert.ok(again.abstains);
    again.handleRow(old, row('a', ballot(1), accepted), start);
    assert.equal(again.decided, undefined);
    again.handleRow(B, row('b', ballot(1), accepted), start);
    assert.deepEqual(again.decided, Y);
  });

  it('shows what others decided, though it promised a higher ballot, so that late comers learn it', () => {
    const paxos = elector();
    paxos.handleRow(B, row('b', ballot(4)), start);
    const accepted = { ballot: ballot(2, C), value: Y };
    paxos.handleRow(C, row('c', ballot(2, C), accepted), start);
    assert.equal(rowOf(paxos)?.accepted, undefined);
    paxos.handleRow(B, row('b', ballot(4), accepted), start);
    assert.deepEqual(paxos.decided, Y);
    assert.deepEqual(rowOf(paxos), { name: 'a', promised: ballot(4), accepted });
  });

  it('does not believe a row that uses up the rounds', () => {
    const paxos = elector();
    const far = paxos.handleRow(B, row('b', ballot(2 ** 32 - 1)), start);
    assert.deepEqual(far, { ok: false, reason: 'implausible' });
  });
});
