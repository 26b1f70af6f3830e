import assert from 'node:assert/strict';
import { instant } from '../../../../../base/instant.ts';
import {
  MAX_WAITING_BYTES,
  MAX_WAITING_BYTES_ALL,
  MAX_WAITING_MS,
  MAX_WAITING_PACKETS,
  WaitingPackets,
} from '../../../../../router/datapath/sleeve/waiting-packets.ts';

describe('waiting packets', () => {
  it('are copies, and come out in order', () => {
    const waiting = new WaitingPackets({ bytes: 0 });
    const frame = Uint8Array.of(1);
    waiting.add(frame, instant(0));
    frame[0] = 2;
    waiting.add(frame, instant(0));
    frame[0] = 3;
    assert.deepEqual(waiting.takeAll(), [Uint8Array.of(1), Uint8Array.of(2)]);
    assert.equal(waiting.size, 0);
  });

  it('are bounded in number and bytes; the newest is refused', () => {
    const waiting = new WaitingPackets({ bytes: 0 });
    for (let i = 0; i < MAX_WAITING_PACKETS; i++) assert.ok(waiting.add(Uint8Array.of(i), instant(0)));
    assert.equal(waiting.add(Uint8Array.of(99), instant(0)), false);
    assert.deepEqual(waiting.takeAll()[0], Uint8Array.of(0));
    assert.ok(waiting.add(new Uint8Array(MAX_WAITING_BYTES), instant(0)));
    assert.equal(waiting.add(Uint8Array.of(1), instant(0)), false);
  });

  it('share one budget over all peers, and give back what they took', () => {
    const budget = { bytes: 0 };
    const queues = Array.from({ length: 40 }, () => new WaitingPackets(budget));
    const frame = new Uint8Array(MAX_WAITING_BYTES);
    const kept = queues.filter((queue) => queue.add(frame, instant(0)));
    assert.equal(kept.length, MAX_WAITING_BYTES_ALL / MAX_WAITING_BYTES);
    kept[0]!.takeAll();
    assert.equal(kept[1]!.expire(instant(MAX_WAITING_MS - 1)), 0);
    assert.equal(kept[1]!.expire(instant(MAX_WAITING_MS)), 1);
    assert.equal(budget.bytes, MAX_WAITING_BYTES_ALL - 2 * MAX_WAITING_BYTES);
    for (const queue of queues) queue.takeAll();
    assert.equal(budget.bytes, 0);
  });
});
