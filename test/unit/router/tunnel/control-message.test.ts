import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { hex } from '../../../../base/bytes.ts';
import {
  CHANNEL_BYTES_MAX,
  decodeControlMessage,
  encodeChannelMessage,
  encodeMtuAck,
  encodeMtuProbe,
  encodeTokenMessage,
} from '../../../../router/tunnel/control-message.ts';

const TOKEN = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

describe('control messages', () => {
  it('have the bytes of docs/wire.md', () => {
    assert.equal(hex(encodeTokenMessage('challenge', TOKEN)), '800102030405060708');
    assert.equal(hex(encodeTokenMessage('answer', TOKEN)), '810102030405060708');
    assert.equal(hex(encodeMtuProbe(TOKEN, 13)), '8201020304050607080d000000');
    assert.equal(hex(encodeMtuAck(TOKEN, 1364)), '8301020304050607085405');
    assert.equal(hex(encodeTokenMessage('ping', TOKEN)), '840102030405060708');
    assert.equal(hex(encodeTokenMessage('pong', TOKEN)), '850102030405060708');
    const message = encodeChannelMessage(2, TOKEN);
    assert.ok(message.ok && hex(message.value) === '020102030405060708');
  });

  it('are read as they were written', () => {
    for (const type of ['challenge', 'answer', 'ping', 'pong'] as const) {
      assert.deepEqual(decodeControlMessage(encodeTokenMessage(type, TOKEN)), {
        ok: true,
        value: { type, token: TOKEN },
      });
    }
    for (const size of [11, 1164, 1364, 65_535]) {
      const probe = decodeControlMessage(encodeMtuProbe(TOKEN, size));
      assert.deepEqual(probe, { ok: true, value: { type: 'mtuProbe', token: TOKEN, size } });
      const ack = decodeControlMessage(encodeMtuAck(TOKEN, size));
      assert.deepEqual(ack, { ok: true, value: { type: 'mtuAck', token: TOKEN, size } });
    }
  });

  it('carry channels 1 to 127 and at most 1100 bytes', () => {
    for (const channel of [0, 128, 1.5, -1, Number.NaN]) {
      assert.deepEqual(encodeChannelMessage(channel, TOKEN), { ok: false, reason: 'badChannel' });
    }
    const tooLong = encodeChannelMessage(1, new Uint8Array(CHANNEL_BYTES_MAX + 1));
    assert.deepEqual(tooLong, { ok: false, reason: 'tooLong' });
  });

  it('name the fault of anything else', () => {
    const faults: [number[], string][] = [
      [[], 'empty'],
      [[0], 'unknownType'],
      [[200, ...TOKEN], 'unknownType'],
      [[255], 'unknownType'],
      [[128, 1, 2], 'truncated'],
      [[132, ...TOKEN, 0], 'tooLong'],
      [[130, ...TOKEN, 1], 'truncated'],
      [[130, ...TOKEN, 200, 0], 'sizeMismatch'],
      [[131, ...TOKEN, 200, 0, 0], 'tooLong'],
      [[1, ...new Array<number>(CHANNEL_BYTES_MAX + 1).fill(0)], 'tooLong'],
    ];
    for (const [bytes, reason] of faults) {
      assert.deepEqual(decodeControlMessage(Uint8Array.from(bytes)), { ok: false, reason });
    }
  });

  it('never throw, and mean one thing only: what is read is written back to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const decoded = decodeControlMessage(bytes);
        if (!decoded.ok) return;
        const message = decoded.value;
        if (message.type === 'mtuProbe') return; // its filling is free
        if (message.type === 'channel') {
          const again = encodeChannelMessage(message.channel, message.bytes);
          assert.ok(again.ok && hex(again.value) === hex(bytes));
        } else if (message.type === 'mtuAck') {
          assert.equal(hex(encodeMtuAck(message.token, message.size)), hex(bytes));
        } else assert.equal(hex(encodeTokenMessage(message.type, message.token)), hex(bytes));
      }),
    );
  });
});
