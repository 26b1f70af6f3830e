import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { concat, writeU32LE } from '../../../../base/bytes.ts';
import { parseEndpoint } from '../../../../base/endpoint.ts';
import { after, instant } from '../../../../base/instant.ts';
import { peerIdFromBytes } from '../../../../base/peer-id.ts';
import { SAVED_WINDOW_LENGTH } from '../../../../crypto/replay-window.ts';
import { NO_STATS } from '../../../../router/datapath/datapath.ts';
import type { HandedSession, HandedTunnels } from '../../../../router/tunnel/handover/handed-tunnels.ts';
import { decodeHandover, encodeHandover } from '../../../../router/tunnel/handover/handover-format.ts';

const NOW = instant(1_000_000);
const peer = (n: number) => peerIdFromBytes(new Uint8Array(32).fill(n));
const traffic = {
  ...{ sentPackets: 1, sentBytes: 2 ** 40, receivedPackets: 3, receivedBytes: 4, droppedPackets: 5 },
  ...{ sentIpBytes: 6, receivedIpBytes: 7, lastReceivedAt: after(NOW, -50), lastSentAt: undefined },
};
const session = (localIndex: number, role: HandedSession['role']): HandedSession => ({
  ...{ peer: peer(2), localIndex, remoteIndex: 0xffff_fffe, suite: 'aes-256-gcm', peerTakesMarks: true },
  sendKey: new Uint8Array(32).fill(localIndex),
  receiveKey: new Uint8Array(32).fill(200),
  ...{ role, initiator: role === 'next', establishedAt: after(NOW, -70_000), peerEpoch: 9, peerMtu: 1364 },
  progress: {
    ...{ sent: 2 ** 41, failedOpens: 2, confirmed: role !== 'next' },
    replayWindow: new Uint8Array(SAVED_WINDOW_LENGTH).fill(1).fill(0, 4, 8),
  },
});
const handed: HandedTunnels = {
  self: peer(1),
  since: 17,
  past: { ...NO_STATS, sentBytes: 11 },
  counters: { 'datapath.inReplay': 4, 'datapath.unheardOf': 2 ** 50 },
  tunnels: [
    {
      ...{ peer: peer(2), noiseKey: new Uint8Array(32).fill(8), traffic, provenMtu: 1364, rttMs: 0.25 },
      sessions: [session(1, 'current'), session(2, 'next'), session(3, 'previous')],
      path: { kind: 'direct', endpoint: parseEndpoint('192.0.2.1:6783')! },
      observed: [parseEndpoint('[2001:db8::1]:7000')!, parseEndpoint('192.0.2.1:6783')!],
    },
    {
      ...{ peer: peer(3), noiseKey: new Uint8Array(32), traffic: NO_STATS, provenMtu: undefined },
      ...{ rttMs: undefined, sessions: [], path: { kind: 'relay', via: peer(2) }, observed: [] },
    },
    {
      ...{ peer: peer(4), noiseKey: new Uint8Array(32), traffic: NO_STATS, provenMtu: undefined },
      ...{ rttMs: undefined, sessions: [], path: undefined, observed: [] },
    },
  ],
};

/** A field as the format has it. */
function field(tag: number, value: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  writeU32LE(length, 0, value.length);
  return concat(Uint8Array.of(tag), length, value);
}

describe('what a weftd hands to the next', () => {
  const bytes = encodeHandover(handed, NOW);

  it('survives encoding, with times as ages', () => {
    deepEqual(decodeHandover(bytes, NOW), { ok: true, value: handed });
    const later = decodeHandover(bytes, after(NOW, 500));
    equal(later.ok && later.value.tunnels[0]!.sessions[0]!.establishedAt, after(NOW, -69_500));
  });

  it('may hold fields that a reader does not know', () => {
    const more = concat(bytes, field(200, new Uint8Array(9)));
    deepEqual(decodeHandover(more, NOW), { ok: true, value: handed });
    const one = encodeHandover({ ...handed, tunnels: [] }, NOW);
    const tunnel = concat(
      field(1, new Uint8Array(32).fill(5)),
      field(2, new Uint8Array(32)),
      field(99, new Uint8Array(3)),
    );
    const read = decodeHandover(concat(one, field(3, tunnel)), NOW);
    equal(read.ok && read.value.tunnels[0]!.peer, peer(5));
  });

  it('is refused as a whole where it is of another version', () => {
    const other = bytes.slice();
    other[0] = 2;
    deepEqual(decodeHandover(other, NOW), { ok: false, reason: 'version' });
    deepEqual(decodeHandover(new Uint8Array(0), NOW), { ok: false, reason: 'malformed' });
  });

  it('is refused where a part is missing', () => {
    for (let length = 1; length < bytes.length; length += 1 + (length > 200 ? 37 : 0)) {
      const read = decodeHandover(bytes.subarray(0, length), NOW);
      // Whole fields may be missing at the end: what is there is sound then.
      if (read.ok) equal(read.value.since, handed.since);
      else equal(read.reason, 'malformed');
    }
  });

  it('is refused where it names a peer, a session or a place among sessions twice', () => {
    const [first] = handed.tunnels as [(typeof handed.tunnels)[0]];
    const wrong = (tunnels: HandedTunnels['tunnels']): unknown =>
      decodeHandover(encodeHandover({ ...handed, tunnels }, NOW), NOW);
    const malformed = { ok: false, reason: 'malformed' };
    deepEqual(wrong([first, first]), malformed);
    deepEqual(wrong([first, { ...first, peer: peer(9) }]), malformed);
    deepEqual(wrong([{ ...first, sessions: [session(1, 'next'), session(2, 'next')] }]), malformed);
    deepEqual(wrong([{ ...first, sessions: [session(0, 'next')] }]), malformed);
  });

  it('is read or refused, whatever it is, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (garbage) => {
        decodeHandover(garbage, NOW);
        decodeHandover(concat(Uint8Array.of(1), garbage), NOW);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const changed = bytes.slice();
        changed[at] = value;
        decodeHandover(changed, NOW);
      }),
      { numRuns: 500 },
    );
  });
});
