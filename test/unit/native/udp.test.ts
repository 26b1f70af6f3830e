import assert from 'node:assert/strict';
import { openUdp, UDP_SLOT_BYTES, UDP_WORDS, type UdpSocket } from '../../../native/udp.ts';

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const EBADF = -9;
const EINVAL = -22;
const EMSGSIZE = -90;
const EAFNOSUPPORT = -97;

describe('UDP sockets that move datagrams in batches', () => {
  const opened: UdpSocket[] = [];
  const open = (host = '127.0.0.1', port = 0): UdpSocket => {
    const socket = openUdp(host, port);
    opened.push(socket);
    return socket;
  };
  afterEach(() => {
    for (const socket of opened.splice(0)) socket.close();
  });

  /** The datagrams that `socket` receives until `count` are there, in order. */
  const receive = (socket: UdpSocket, count: number): Promise<Uint8Array[]> =>
    new Promise((resolve) => {
      const datagrams: Uint8Array[] = [];
      socket.start(
        (buffer, words, messages) => {
          for (let i = 0; i < messages; i++) {
            const length = words[i * UDP_WORDS]!;
            const segment = words[i * UDP_WORDS + 1]! || length;
            for (let at = 0; at < length; at += segment) {
              const begin = i * UDP_SLOT_BYTES + at;
              datagrams.push(buffer.slice(begin, begin + Math.min(segment, length - at)));
            }
          }
          if (datagrams.length >= count) resolve(datagrams);
        },
        () => {},
        () => {},
      );
    });

  it('a run arrives as its datagrams, the last one shorter', async () => {
    const [from, to] = [open(), open()];
    const received = receive(to, 64);
    const run = Uint8Array.from({ length: 63 * 1000 + 1 }, (_, i) => i / 1000);
    assert.equal(
      from.send(LOOPBACK, to.port, run, run.length, from.segments ? 1000 : run.length, 0),
      run.length,
    );
    const datagrams = await received;
    assert.deepEqual(
      datagrams.map((one) => [one.length, one[0]]),
      Array.from({ length: 64 }, (_, i) => [i < 63 ? 1000 : 1, i]),
    );
  });

  it('tells the sender, also over IPv6', async () => {
    const [from, to] = [open('::1'), open('::1')];
    const words = new Promise<number[]>((resolve) => {
      to.start(
        (_buffer, described) => resolve([...described.slice(0, UDP_WORDS)]),
        () => {},
        () => {},
      );
    });
    const address = new Uint8Array(16);
    address[15] = 1;
    from.send(address, to.port, new Uint8Array(9), 5, 5, 0);
    assert.deepEqual(await words, [5, 0, from.port, 0, 0, 0, 1, 0]);
  });

  for (const [host, bytes] of [
    ['127.0.0.1', LOOPBACK],
    ['::1', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)],
  ] as const) {
    it(`tells the byte of DSCP and ECN that each run was sent with (${host})`, async () => {
      const [from, to] = [open(host), open(host)];
      const told: (readonly [length: number, tos: number])[] = [];
      const all = new Promise<void>((resolve) => {
        to.start(
          (_buffer, words, count) => {
            for (let i = 0; i < count; i++) told.push([words[i * UDP_WORDS]!, words[i * UDP_WORDS + 7]!]);
            if (told.length >= 4) resolve();
          },
          () => {},
          () => {},
        );
      });
      const run = new Uint8Array(300);
      for (const [length, tos] of [
        [7, 0xb8],
        [300, 3],
        [9, 0],
        [11, 255],
      ] as const) {
        from.send(bytes, to.port, run, length, from.segments ? 100 : length, tos);
      }
      await all;
      assert.deepEqual(told, [
        [7, 0xb8],
        [300, 3],
        [9, 0],
        [11, 255],
      ]);
      assert.throws(() => from.send(bytes, to.port, run, 1, 1, 256), TypeError);
      assert.throws(() => from.send(bytes, to.port, run, 1, 1, -1), TypeError);
    });
  }

  it('says why it cannot send', () => {
    const socket = open();
    const bytes = new Uint8Array(65_535);
    assert.equal(socket.send(LOOPBACK, 9, bytes, 65_535, 65_535, 0), EMSGSIZE);
    assert.equal(socket.send(new Uint8Array(16), 9, bytes, 1, 1, 0), EAFNOSUPPORT);
    // More datagrams than any kernel takes at once.
    assert.equal(socket.send(LOOPBACK, 9, bytes, 60_000, 10, 0), EINVAL);
    assert.throws(() => socket.send(LOOPBACK, 0, bytes, 1, 1, 0), TypeError);
    assert.throws(() => socket.send(LOOPBACK, 9, bytes, 65_536, 1, 0), TypeError);
    socket.close();
    socket.close();
    assert.equal(socket.send(LOOPBACK, 9, bytes, 1, 1, 0), EBADF);
  });

  it('refuses a port that is taken, and what is no address', () => {
    const socket = open();
    assert.throws(() => open('127.0.0.1', socket.port), { code: 'EADDRINUSE', syscall: 'bind' });
    assert.throws(() => open('192.0.2.77'), { code: 'EADDRNOTAVAIL' });
    assert.throws(() => open('localhost'), { code: 'EINVAL' });
  });

  it('calls back once the kernel has room', async () => {
    const socket = open();
    await new Promise<void>((resolve) => {
      socket.start(
        () => {},
        resolve,
        () => {},
      );
      socket.awaitWritable();
    });
    assert.throws(
      () =>
        socket.start(
          () => {},
          () => {},
          () => {},
        ),
      { code: 'EALREADY' },
    );
  });

  it('may be closed while it hands over a batch', async () => {
    const [from, to] = [open(), open()];
    await new Promise<void>((resolve) => {
      to.start(
        (buffer, words, count) => {
          to.close();
          assert.deepEqual([count > 0, words[0], buffer[0]], [true, 3, 7]);
          resolve();
        },
        () => {},
        () => {},
      );
      for (let i = 0; i < 20; i++) from.send(LOOPBACK, to.port, Uint8Array.of(7, 7, 7), 3, 3, 0);
    });
  });
});
