import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MAX_EPOCH } from '../../../../gossip/model/record.ts';
import type { Rumour } from '../../../../gossip/model/rumour.ts';
import {
  decodeSwimPacket,
  encodeSwimPacket,
  MAX_PIGGYBACK,
  MAX_SWIM_LENGTH,
  type SwimPacket,
} from '../../../../gossip/swim/swim-packet.ts';
import { peer } from '../fakes.ts';

const rumour: Rumour = {
  subject: peer(1),
  state: 'suspect',
  accuser: 'fedcba9876543210',
  version: { epoch: 4, sequence: 2 ** 40 },
};
const packets: readonly SwimPacket[] = [
  { kind: 'ping', number: 0xffffffff, rumours: [] },
  {
    kind: 'ping-req',
    number: 1,
    target: peer(2),
    rumours: Array.from({ length: MAX_PIGGYBACK }, () => rumour),
  },
  { kind: 'ack', number: 2, rumours: [rumour, { ...rumour, state: 'dead' }, { ...rumour, state: 'alive' }] },
  { kind: 'nack', number: 3, rumours: [] },
];

describe('swim packets', () => {
  for (const packet of packets) {
    it(`survive encoding and fit a control message: ${packet.kind}`, () => {
      const bytes = encodeSwimPacket(packet);
      assert.ok(bytes.length <= MAX_SWIM_LENGTH);
      assert.deepEqual(decodeSwimPacket(bytes), { ok: true, value: packet });
    });
  }

  const valid = encodeSwimPacket(packets[2]!);
  const changed = (at: number, value: number): Uint8Array =>
    valid.map((byte, i) => (i === at ? value : byte));
  for (const [what, bytes, reason] of [
    ['nothing', new Uint8Array(0), 'malformed'],
    ['a cut header', valid.subarray(0, 7), 'malformed'],
    ['a cut rumour', valid.subarray(0, -1), 'malformed'],
    ['a byte too much', Uint8Array.from([...valid, 0]), 'malformed'],
    ['more rumours promised than there are', changed(2, 4), 'malformed'],
    ['too many rumours', encodeSwimPacket({ ...packets[0]!, rumours: Array(13).fill(rumour) }), 'malformed'],
    ['an epoch out of bounds', changed(8 + 41 + 6, 1), 'malformed'],
    ['another version', changed(0, 2), 'unknown'],
    ['another kind', changed(1, 9), 'unknown'],
    ['too many bytes', new Uint8Array(MAX_SWIM_LENGTH + 1), 'oversized'],
  ] as const) {
    it(`are refused with ${what}`, () => {
      assert.deepEqual(decodeSwimPacket(bytes), { ok: false, reason });
    });
  }

  it('carry the greatest epoch', () => {
    const packet: SwimPacket = {
      kind: 'ack',
      number: 1,
      rumours: [{ ...rumour, version: { epoch: MAX_EPOCH, sequence: 0 } }],
    };
    assert.deepEqual(decodeSwimPacket(encodeSwimPacket(packet)), { ok: true, value: packet });
  });

  it('skip rumours of states they do not know', () => {
    const decoded = decodeSwimPacket(changed(8 + 32, 200));
    assert.ok(decoded.ok);
    assert.deepEqual(
      decoded.value.rumours.map((each) => each.state),
      ['dead', 'alive'],
    );
  });

  it('never throw, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 1200 }), (bytes) => void decodeSwimPacket(bytes)));
  });
});
