import assert from 'node:assert/strict';
import { Counters } from '../../base/counters.ts';
import { instant } from '../../base/instant.ts';
import { parsePeerId } from '../../base/peer-id.ts';
import { parseCidr } from '../../base/range.ts';
import { decodeRow, encodeRow } from '../../ipam/agreement/paxos.ts';
import { Ipam } from '../../ipam/ipam.ts';
import { decodeGenesis, encodeGenesis, shareEvenly } from '../../ipam/model/genesis.ts';
import { IPAM_COUNTERS, type IpamCounter } from '../../ipam/model/ipam-counters.ts';
import { decodeMessage, encodeMessage, type IpamMessage } from '../../ipam/model/messages.ts';
import { appendToLog, decodeRingLog, emptyLog, joinLogs } from '../../ipam/ring/ring-log.ts';
import { seededRandom } from '../seeded-random.ts';
import { MemoryStore } from '../unit/ipam/memory-store.ts';

export interface FuzzTarget {
  readonly name: string;
  /** Must neither throw nor take long, whatever `bytes` are. */
  readonly run: (bytes: Uint8Array) => void;
  /** Well-formed inputs, to be damaged. */
  readonly seeds: readonly Uint8Array[];
}

const SELF = parsePeerId('11'.repeat(32))!;
const PEER = parsePeerId('22'.repeat(32))!;
const range = parseCidr('10.0.0.0/24')!;
const genesis = shareEvenly('ab'.repeat(16), [range], [SELF]);
const log = appendToLog(emptyLog(), [
  { kind: 'genesis', genesis },
  { kind: 'join', peer: PEER },
  { kind: 'grant', range: parseCidr('10.0.0.128/25')!, to: PEER, version: 1 },
])!;
const row = encodeRow({
  name: 'b',
  promised: { round: 2, proposer: PEER },
  accepted: { ballot: { round: 1, proposer: SELF }, value: encodeGenesis(genesis) },
});

const messages = [
  { kind: 'ask', request: 7, families: 1 },
  { kind: 'answer', request: 7, outcome: 'granted' },
  { kind: 'prepare', subject: PEER, round: 1, logLength: 99 },
  {
    kind: 'promise',
    subject: PEER,
    round: 1,
    logLength: 99,
    accepted: { round: 1, proposer: SELF, heir: SELF, cut: 9 },
  },
  { kind: 'refuse', subject: PEER, round: 1, reason: 'ballot', promisedRound: 5, logLength: 99 },
  { kind: 'propose', subject: PEER, round: 1, heir: SELF, cut: 9 },
].map((message) => encodeMessage(message as IpamMessage));

/** `base` with `bytes` written over it, at a place and for a length that the first two bytes choose. */
function splice(base: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (bytes.length < 2) return bytes;
  const at = (bytes[0]! * 256 + bytes[1]!) % (base.length + 1);
  const out = new Uint8Array(Math.max(base.length, at + bytes.length - 2));
  out.set(base);
  out.set(bytes.subarray(2), at);
  return out;
}

function startIpam(): { ipam: Ipam; counters: Counters<IpamCounter> } {
  const counters = new Counters(IPAM_COUNTERS);
  const ipam = new Ipam({
    self: SELF,
    name: 'a',
    bootId: 'boot',
    random: seededRandom(1),
    counters,
    store: new MemoryStore(),
    config: { ranges: [range], init: { mode: 'consensus', electorate: ['a', 'b', 'c'] } },
  });
  ipam.start(instant(0));
  return { ipam, counters };
}

const shared = startIpam();
let now = 0;

export const ipamTargets: readonly FuzzTarget[] = [
  {
    name: 'ipam.ring-log',
    seeds: [log.bytes],
    run(bytes) {
      const decoded = decodeRingLog(bytes);
      if (!decoded.ok) return;
      assert.equal(joinLogs(decoded.value, decoded.value).change, 'same');
      assert.ok(joinLogs(log, decoded.value).log.bytes.length <= Math.max(log.bytes.length, bytes.length));
    },
  },
  {
    name: 'ipam.genesis',
    seeds: [encodeGenesis(genesis)],
    run(bytes) {
      const decoded = decodeGenesis(bytes);
      if (decoded.ok) assert.deepEqual(encodeGenesis(decoded.value), bytes);
    },
  },
  {
    name: 'ipam.paxos-row',
    seeds: [row],
    run(bytes) {
      const decoded = decodeRow(bytes);
      if (decoded.ok) assert.deepEqual(encodeRow(decoded.value), bytes);
    },
  },
  {
    name: 'ipam.message',
    seeds: messages,
    run(bytes) {
      const decoded = decodeMessage(bytes);
      if (decoded.ok) assert.deepEqual(encodeMessage(decoded.value), bytes);
    },
  },
  {
    name: 'ipam.node',
    seeds: [...messages, log.bytes, row],
    run(bytes) {
      const { ipam } = shared;
      const at = instant(now++);
      ipam.handleMessage(PEER, bytes, at);
      ipam.handleRecord({ origin: PEER, slot: 'ring', payload: bytes }, at);
      ipam.handleRecord({ origin: PEER, slot: 'ring', payload: splice(log.bytes, bytes) }, at);
      ipam.handleRecord({ origin: PEER, slot: 'paxos', payload: splice(row, bytes) }, at);
      if (now % 16 === 0) ipam.tick(at);
      for (let out = ipam.poll(); out !== undefined; out = ipam.poll());
    },
  },
];
