import assert from 'node:assert/strict';
import { Counters } from '../../../../../base/counters.ts';
import { type Endpoint, parseEndpoint } from '../../../../../base/endpoint.ts';
import { WeftError } from '../../../../../base/weft-error.ts';
import { setSocketBuffers } from '../../../../../native/socket-options.ts';
import { openUdp } from '../../../../../native/udp.ts';
import { DATAPATH_COUNTERS, type DatapathCounter } from '../../../../../router/datapath/datapath-counters.ts';
import { canonicalEndpoint } from '../../../../../router/datapath/sleeve/dgram-socket.io.ts';
import { SleeveIo, type SleeveTun } from '../../../../../router/datapath/sleeve/sleeve.io.ts';
import { checksumsHold, frameOf, pattern, udpPacket } from '../../packet/ip-packets.ts';
import { datagramsOf } from './datagrams-of.ts';

const V4 = { source: '10.32.0.1', destination: '10.33.0.1' };

/** A TUN that hands out what the test gives it, and keeps what is written. */
function fakeTun(vnetHeader = true): SleeveTun & { written: Uint8Array[]; emit(frames: Uint8Array[]): void } {
  let onBatch: Parameters<SleeveTun['start']>[0] | undefined;
  const written: Uint8Array[] = [];
  return {
    offloads: { vnetHeader },
    written,
    start: (callback) => {
      onBatch = callback;
    },
    write: (frame) => (frame.length > 2000 ? -22 : written.push(frame.slice())),
    close: () => {},
    emit: (frames) => {
      const buffer = new Uint8Array(frames.reduce((sum, one) => sum + one.length + 3, 0));
      const offsets: number[] = [];
      let at = 0;
      for (const frame of frames) {
        buffer.set(frame, at);
        offsets.push(at);
        at += frame.length + 3;
      }
      const lengths = frames.map((frame) => frame.length);
      onBatch?.(buffer, [...offsets, 99], [...lengths, 99], frames.length);
    },
  };
}

describe('canonical endpoints', () => {
  const cases: [string, number, string | undefined][] = [
    ['192.0.2.1', 6783, '192.0.2.1:6783'],
    ['::ffff:192.0.2.1', 6783, '192.0.2.1:6783'],
    ['::ffff:c000:201', 6783, '192.0.2.1:6783'],
    ['2001:DB8:0:0:0:0:0:1', 1, '[2001:db8::1]:1'],
    ['fe80::1%eth0', 6783, undefined],
    ['192.0.2.1', 0, undefined],
    ['nonsense', 6783, undefined],
  ];
  for (const [address, port, expected] of cases) {
    it(`${address} ${port}: ${expected}`, () => assert.equal(canonicalEndpoint(address, port), expected));
  }
});

describe('the shell of the sleeve', () => {
  const opened: SleeveIo[] = [];
  const open = async (
    options: Partial<Parameters<typeof SleeveIo.open>[0]> = {},
  ): Promise<{ io: SleeveIo; counters: Counters<DatapathCounter>; at: Endpoint }> => {
    const counters = new Counters(DATAPATH_COUNTERS);
    const io = await SleeveIo.open({ port: 0, listen: ['127.0.0.1'], counters, ...options });
    opened.push(io);
    return { io, counters, at: parseEndpoint(`127.0.0.1:${io.port}`)! };
  };
  afterEach(() => {
    for (const io of opened.splice(0)) io.close();
  });

  for (const [kind, openSocket] of [
    ['dgram', {}],
    ['batches', { openUdp }],
  ] as const) {
    it(`carries datagrams, each from its sender, and ends their batch behind them (${kind})`, async () => {
      const tuned: number[] = [];
      const left = await open({ tuneSocket: (descriptor) => tuned.push(descriptor), ...openSocket });
      const right = await open(openSocket);
      assert.equal(tuned.length, 1);
      const scratch = new Uint8Array(1400);
      const received: [Endpoint, number, number][] = [];
      let ended = 0;
      await new Promise<void>((resolve) => {
        right.io.start({
          onDatagrams: (from, run, segment) => {
            for (const bytes of datagramsOf(run, segment)) {
              assert.ok(bytes.every((byte) => byte === bytes[0]));
              received.push([from, bytes.length, bytes[0]!]);
            }
          },
          onFrame: () => {},
          onBatchEnd: () => {
            ended++;
            if (received.length === 20) resolve();
          },
        });
        // The buffer is reused at once: what arrives must not be what came later.
        for (let i = 0; i < 20; i++) left.io.transmit(right.at, scratch.fill(i).subarray(i));
      });
      assert.deepEqual(
        received,
        Array.from({ length: 20 }, (_, i) => [left.at, 1400 - i, i]),
      );
      assert.ok(ended < 20, 'several datagrams to a batch');
    });

    it(`what a batch of frames gives rise to arrives in order (${kind})`, async () => {
      const tun = fakeTun();
      const left = await open({ tun, ...openSocket });
      const tuneSocket = (descriptor: number): void => void setSocketBuffers(descriptor, 4 * 1024 * 1024);
      const right = await open({ tuneSocket, ...openSocket });
      const lengths = [...Array(100).fill(1400), 300, 1400, 64, 64, 1400, 1500, 1500, 20];
      const received: number[] = [];
      await new Promise<void>((resolve) => {
        right.io.start({
          onDatagrams: (_from, run, segment) => {
            for (const bytes of datagramsOf(run, segment)) {
              assert.ok(bytes.every((byte) => byte === received.length % 256));
              received.push(bytes.length);
            }
          },
          onFrame: () => {},
          onBatchEnd: () => received.length === lengths.length && resolve(),
        });
        left.io.start({
          onDatagrams: () => {},
          onFrame: () => {
            for (const [i, length] of lengths.entries()) {
              left.io.transmit(right.at, new Uint8Array(length).fill(i));
            }
          },
          onBatchEnd: () => {},
        });
        tun.emit([frameOf(udpPacket(V4, pattern(20)))]);
      });
      assert.deepEqual(received, lengths);
    });

    it(`carries datagrams over IPv6 (${kind})`, async () => {
      const left = await open({ listen: ['::1'], ...openSocket });
      const right = await open({ listen: ['::1'], ...openSocket });
      const from = await new Promise<Endpoint>((resolve) => {
        right.io.start({ onDatagrams: resolve, onFrame: () => {}, onBatchEnd: () => {} });
        left.io.transmit(parseEndpoint(`[::1]:${right.io.port}`)!, new Uint8Array(9));
      });
      assert.equal(from, `[::1]:${left.io.port}`);
    });
  }

  it('counts what the batched socket cannot send', async () => {
    const { io, counters, at } = await open({ openUdp });
    io.start({ onDatagrams: () => {}, onFrame: () => {}, onBatchEnd: () => {} });
    io.transmit(at, new Uint8Array(65_535));
    assert.equal(counters.get('datapath.sendTooLarge'), 1);
    const fails = (code: string) => (error: unknown) => error instanceof WeftError && error.code === code;
    await assert.rejects(open({ port: io.port, openUdp }), fails('E_PORT_TAKEN'));
    await assert.rejects(open({ listen: ['192.0.2.77'], openUdp }), fails('E_LISTEN_ADDRESS'));
  });

  it('counts what cannot be sent and never throws', async () => {
    const { io, counters, at } = await open();
    io.start({ onDatagrams: () => {}, onFrame: () => {}, onBatchEnd: () => {} });
    io.transmit(parseEndpoint('[2001:db8::1]:1')!, new Uint8Array(9));
    assert.equal(counters.get('datapath.noSocket'), 1);
    io.transmit(at, new Uint8Array(65_535));
    await new Promise(setImmediate);
    assert.equal(counters.get('datapath.sendTooLarge'), 1);
    io.close();
    io.close();
    io.transmit(at, new Uint8Array(9));
    assert.equal(counters.get('datapath.noSocket'), 2);
  });

  it('says that a port is taken, and that an address is not ours, with what to do', async () => {
    const { io } = await open();
    const fails = (code: string) => (error: unknown) =>
      error instanceof WeftError && error.code === code && error.line.includes(';');
    await assert.rejects(open({ port: io.port }), fails('E_PORT_TAKEN'));
    await assert.rejects(open({ listen: ['192.0.2.77'] }), fails('E_LISTEN_ADDRESS'));
    await assert.rejects(open({ listen: ['localhost'] }), fails('E_LISTEN_ADDRESS'));
  });

  it('hands over the frames of a batch and writes frames, counting refusals', async () => {
    const tun = fakeTun();
    const { io, counters } = await open({ tun });
    const frames: Uint8Array[] = [];
    let ended = 0;
    io.start({
      onDatagrams: () => {},
      onFrame: (frame) => frames.push(frame.slice()),
      onBatchEnd: () => ended++,
    });
    const sent = [frameOf(udpPacket(V4, pattern(20))), frameOf(udpPacket(V4, pattern(30)))];
    tun.emit(sent);
    assert.deepEqual([frames, ended], [sent, 1]);
    io.deliver(sent[0]!);
    io.deliver(new Uint8Array(3000));
    assert.deepEqual(tun.written, [sent[0]]);
    assert.equal(counters.get('datapath.tunInvalid'), 1);
  });

  it('works with a TUN that has no vnet header: checksums are completed', async () => {
    const tun = fakeTun(false);
    const { io } = await open({ tun });
    const frames: Uint8Array[] = [];
    io.start({ onDatagrams: () => {}, onFrame: (frame) => frames.push(frame.slice()), onBatchEnd: () => {} });
    const packet = udpPacket(V4, pattern(20));
    tun.emit([packet]);
    assert.deepEqual(frames, [frameOf(packet)]);
    const partial = udpPacket({ ...V4, partial: true }, pattern(20));
    io.deliver(frameOf(partial, { flags: 1, csumStart: 20, csumOffset: 6 }));
    assert.deepEqual(tun.written, [packet]);
    assert.ok(checksumsHold(tun.written[0]!));
  });
});
