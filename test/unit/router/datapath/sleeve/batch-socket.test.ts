import assert from 'node:assert/strict';
import { Counters } from '../../../../../base/counters.ts';
import { type Endpoint, parseEndpoint } from '../../../../../base/endpoint.ts';
import { DATAPATH_COUNTERS, type DatapathCounter } from '../../../../../router/datapath/datapath-counters.ts';
import { BatchSocket, type SleeveUdp } from '../../../../../router/datapath/sleeve/batch-socket.io.ts';

const EIO = -5;
const EAGAIN = -11;
const EMSGSIZE = -90;
const A = parseEndpoint('192.0.2.1:1000')!;
const B = parseEndpoint('192.0.2.2:1000')!;

type Sent = readonly [to: string, segment: number, bytes: readonly number[], tos?: number];

/** A kernel's end: `answer` decides on each send; what is taken stands in `sent`. */
class FakeUdp implements SleeveUdp {
  readonly family = 4;
  readonly descriptor = 3;
  readonly port = 1;
  readonly segments: boolean;
  readonly sent: Sent[] = [];
  answer: (length: number, segment: number) => number = (length) => length;
  waiting = 0;
  onBatch: Parameters<SleeveUdp['start']>[0] = () => {};
  onWritable: () => void = () => {};

  constructor(segments = true) {
    this.segments = segments;
  }

  start(onBatch: Parameters<SleeveUdp['start']>[0], onWritable: () => void): void {
    this.onBatch = onBatch;
    this.onWritable = onWritable;
  }

  send(
    address: Uint8Array,
    port: number,
    data: Uint8Array,
    length: number,
    segment: number,
    tos: number,
  ): number {
    const outcome = this.answer(length, segment);
    if (outcome >= 0)
      this.sent.push([
        `${address.join('.')}:${port}`,
        segment,
        [...data.slice(0, length)],
        ...(tos === 0 ? ([] as const) : ([tos] as const)),
      ]);
    return outcome;
  }

  awaitWritable(): void {
    this.waiting++;
  }

  close(): void {}
}

function started(udp = new FakeUdp()): {
  udp: FakeUdp;
  socket: BatchSocket;
  counters: Counters<DatapathCounter>;
} {
  const counters = new Counters(DATAPATH_COUNTERS);
  const socket = new BatchSocket(udp, counters);
  socket.start({ onDatagrams: () => {}, onBatchEnd: () => {} });
  return { udp, socket, counters };
}

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

describe('a socket that sends in runs', () => {
  it('sends each run by one call, with its TOS byte', () => {
    const { udp, socket } = started();
    socket.send(A, Uint8Array.of(2, 2, 3, 3, 4), 2, 0xb8);
    socket.send(B, bytes(3, 5));
    assert.deepEqual(udp.sent, [
      [A, 2, [2, 2, 3, 3, 4], 0xb8],
      [B, 3, [5, 5, 5]],
    ]);
  });

  it('takes a run apart where the kernel has none', () => {
    const { udp, socket } = started(new FakeUdp(false));
    socket.send(A, Uint8Array.of(2, 2, 3, 3, 4), 2, 3);
    assert.deepEqual(udp.sent, [
      [A, 2, [2, 2], 3],
      [A, 2, [3, 3], 3],
      [A, 1, [4], 3],
    ]);
  });

  it('a run that the device refuses goes out singly, and runs end for good', () => {
    const { udp, socket, counters } = started();
    udp.answer = (length, segment) => (length > segment ? EIO : length);
    socket.send(A, Uint8Array.of(0, 0, 1, 1, 2), 2);
    assert.deepEqual(
      udp.sent.map(([, , sent]) => sent),
      [[0, 0], [1, 1], [2]],
    );
    socket.send(A, bytes(4, 3), 2);
    assert.equal(udp.sent.length, 5);
    assert.equal(counters.get('datapath.segmentsOff'), 1);
  });

  it('counts each datagram that is too large, and sends those that are not', () => {
    const { udp, socket, counters } = started();
    udp.answer = (length, segment) => (segment > 4 ? EMSGSIZE : length);
    socket.send(A, bytes(13, 7), 5);
    assert.deepEqual(
      udp.sent.map(([, , sent]) => sent),
      [[7, 7, 7]],
    );
    assert.equal(counters.get('datapath.sendTooLarge'), 2);
    assert.equal(counters.get('datapath.segmentsOff'), 0);
  });

  it('what finds no room waits its turn, in order and as it was, up to a limit', () => {
    const { udp, socket, counters } = started();
    let room = 0;
    udp.answer = (length) => (room-- > 0 ? length : EAGAIN);
    const scratch = new Uint8Array(4);
    for (let i = 0; i < 3; i++) socket.send(A, scratch.fill(i), 2, i);
    assert.deepEqual([udp.sent.length, udp.waiting], [0, 1]);
    room = 2;
    udp.onWritable();
    assert.deepEqual([udp.sent.length, udp.waiting], [2, 2]);
    room = 10;
    udp.onWritable();
    assert.deepEqual(udp.sent, [
      [A, 2, [0, 0, 0, 0]],
      [A, 2, [1, 1, 1, 1], 1],
      [A, 2, [2, 2, 2, 2], 2],
    ]);
    assert.equal(udp.waiting, 2);
    room = 0;
    for (let i = 0; i < 100; i++) socket.send(A, bytes(65_000, i));
    assert.equal(counters.get('datapath.sendQueueFull'), 100 - Math.floor((4 * 1024 * 1024) / 65_000));
    udp.answer = () => EMSGSIZE;
    udp.onWritable();
    assert.equal(counters.get('datapath.sendTooLarge'), Math.floor((4 * 1024 * 1024) / 65_000));
  });

  it('hands on what came together, and names the sender', () => {
    const udp = new FakeUdp();
    const counters = new Counters(DATAPATH_COUNTERS);
    const socket = new BatchSocket(udp, counters);
    const received: [Endpoint, number, number[], number][] = [];
    let ended = 0;
    socket.start({
      onDatagrams: (from, bytes, segment, tos) => received.push([from, segment, [...bytes], tos]),
      onBatchEnd: () => ended++,
    });
    const buffer = new Uint8Array(4 * 65_536);
    buffer.set([1, 1, 2, 2, 3], 0);
    buffer.set([4, 4, 4], 65_536);
    buffer.set([5], 3 * 65_536);
    const address = 0xc000_0201;
    const words = [
      [5, 2, 1000, address, 0, 0, 0, 0xb8],
      [3, 0, 1000, address + 1, 0, 0, 0, 3],
      [9, 0, 0, address, 0, 0, 0, 0],
      [1, 0, 1000, address, 0, 0, 0, 0],
    ];
    udp.onBatch(buffer, Uint32Array.of(...words.flat()), 4);
    assert.deepEqual(received, [
      [A, 2, [1, 1, 2, 2, 3], 0xb8],
      [B, 3, [4, 4, 4], 3],
      [A, 1, [5], 0],
    ]);
    assert.equal(ended, 1);
    assert.equal(counters.get('datapath.badOrigin'), 1, 'port 0');
  });
});
