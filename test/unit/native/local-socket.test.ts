import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { concat, utf8, writeU32LE } from '../../../base/bytes.ts';
import { WeftError } from '../../../base/weft-error.ts';
import { type LocalRequest, LocalSocket, type LocalSocketOptions } from '../../../native/local-socket.ts';
import { RouteSocket } from '../../../native/netlink.ts';

/** Waits for `holds`; the test's own time limit ends the wait. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(1);
}

/** The longest request that the socket takes. */
const REQUEST_MAX_BYTES = 1024 * 1024;

function framed(bytes: Uint8Array, length = bytes.length): Uint8Array {
  const prefix = new Uint8Array(4);
  writeU32LE(prefix, 0, length);
  return concat(prefix, bytes);
}

describe('the local socket', () => {
  let folder: string;
  let path: string;
  let server: LocalSocket | undefined;
  const clients: Socket[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-local-'));
    path = join(folder, 'socket');
  });

  afterEach(() => {
    server?.close();
    server = undefined;
    for (const client of clients.splice(0)) client.destroy();
    rmSync(folder, { recursive: true });
  });

  function listen(onRequest: (request: LocalRequest) => void, options: LocalSocketOptions = {}): void {
    server = LocalSocket.listen(path, onRequest, options);
  }

  /** Sends `parts` one after the other and resolves to all that came back until the end of the connection. */
  function exchange(...parts: readonly Uint8Array[]): Promise<Buffer> {
    return new Promise((resolve) => {
      const client = connect(path);
      clients.push(client);
      const received: Buffer[] = [];
      client.on('data', (data) => received.push(data as Buffer));
      client.on('error', () => undefined);
      client.on('close', () => resolve(Buffer.concat(received)));
      const next = (i: number): void => {
        if (i < parts.length) client.write(parts[i]!, () => setImmediate(next, i + 1));
      };
      client.on('connect', () => next(0));
    });
  }

  it('answers a request and says who asked', async () => {
    listen((request) => {
      const { pid, uid, gid, fds, bytes } = request;
      assert.deepEqual(
        { pid, uid, gid, fds: [...fds] },
        { pid: process.pid, uid: process.getuid!(), gid: process.getgid!(), fds: [] },
      );
      assert.equal(request.answer(concat(utf8('you said '), bytes)), true);
      assert.equal(request.answer(utf8('again')), false);
    });
    assert.deepEqual(await exchange(framed(utf8('hello'))), Buffer.from(framed(utf8('you said hello'))));
  });

  it('puts a request together from single bytes', async () => {
    listen((request) => request.answer(request.bytes));
    const parts = [...framed(utf8('in pieces'))].map((byte) => Uint8Array.of(byte));
    assert.deepEqual(await exchange(...parts), Buffer.from(framed(utf8('in pieces'))));
  });

  it('carries the largest request, and a large answer that is taken slowly', async () => {
    const large = new Uint8Array(REQUEST_MAX_BYTES).fill(7);
    const answer = new Uint8Array(8 * 1024 * 1024).fill(9);
    listen((request) => {
      assert.equal(Buffer.compare(request.bytes, large), 0);
      request.answer(answer);
    });
    const got = await exchange(framed(large));
    assert.equal(Buffer.compare(got, framed(answer)), 0);
  });

  it('answers later, to each client its own', async () => {
    const waiting: LocalRequest[] = [];
    let all: () => void;
    const complete = new Promise<void>((resolve) => {
      all = resolve;
    });
    listen((request) => {
      waiting.push(request);
      if (waiting.length === 20) all();
    });
    const answers = Promise.all(Array.from({ length: 20 }, (_, i) => exchange(framed(utf8(`${i}`)))));
    await complete;
    for (const request of waiting.reverse()) request.answer(request.bytes);
    assert.deepEqual(
      (await answers).map((answer) => String(answer.subarray(4))),
      Array.from({ length: 20 }, (_, i) => `${i}`),
    );
  });

  it('closes without an answer on an empty, an oversized and an unfinished request', async () => {
    listen(() => assert.fail('none of these is a request'), { requestTimeoutMs: 200 });
    assert.equal((await exchange(framed(new Uint8Array(0)))).length, 0);
    assert.equal((await exchange(framed(utf8('x'), REQUEST_MAX_BYTES + 1))).length, 0);
    assert.equal((await exchange(framed(utf8('x'), 0xffffffff))).length, 0);
    assert.equal((await exchange(framed(utf8('half'), 8))).length, 0, 'after the time for a request');
    assert.equal((await exchange()).length, 0, 'silent clients too');
  });

  it('gives up on an answer that does not come, and says so', async () => {
    let request: LocalRequest | undefined;
    listen(
      (given) => {
        request = given;
      },
      { answerTimeoutMs: 150 },
    );
    assert.equal((await exchange(framed(utf8('x')))).length, 0);
    assert.equal(request!.answer(utf8('late')), false);
  });

  it('serves no more clients at once than it may, and the others after', async () => {
    let open = 0;
    let most = 0;
    listen(
      (request) => {
        open++;
        most = Math.max(most, open);
        setImmediate(() => {
          open--;
          request.answer(request.bytes);
        });
      },
      { connections: 3 },
    );
    const answers = await Promise.all(Array.from({ length: 30 }, () => exchange(framed(utf8('x')))));
    assert.ok(answers.every((answer) => answer.length === 5));
    assert.ok(most <= 3, `${most} at once`);
  });

  it('gives silent clients no way to shut out others for longer than a request may take', async () => {
    listen((request) => request.answer(request.bytes), { connections: 2, requestTimeoutMs: 200 });
    const silent = [exchange(), exchange()];
    assert.equal((await exchange(framed(utf8('x')))).length, 5);
    await Promise.all(silent);
  });

  it('serves a client though others hold all places and say nothing, and leaves those who wait for an answer', async () => {
    const asked: LocalRequest[] = [];
    listen((request) => asked.push(request), { connections: 3, requestTimeoutMs: 60_000 });
    const waiting = exchange(framed(utf8('first')));
    const silent = [exchange(), exchange()];
    const answer = exchange(framed(utf8('second')));
    while (asked.length < 2) await new Promise(setImmediate);
    for (const request of asked) request.answer(request.bytes);
    assert.deepEqual([(await waiting).length, (await answer).length], [9, 10]);
    // One of the silent made room; the other stays.
    assert.equal((await Promise.race(silent)).length, 0);
  });

  it('survives a client that leaves before its answer', async () => {
    const left = new Promise<LocalRequest>((resolve) => listen(resolve));
    const client = connect(path, () => client.write(framed(utf8('bye'))));
    const request = await left;
    client.destroy();
    await new Promise((resolve) => client.once('close', resolve));
    request.answer(new Uint8Array(1024 * 1024));
    server!.close();
    listen((next) => next.answer(next.bytes));
    assert.equal((await exchange(framed(utf8('x')))).length, 5);
  });

  it('says that a client has gone that waits for its answer, and serves one that only sends no more', async () => {
    const gone: string[] = [];
    const asked = new Map<string, LocalRequest>();
    listen((request) => {
      const text = String(Buffer.from(request.bytes));
      asked.set(text, request);
      request.whenGone(() => gone.push(text));
    });
    const open = (text: string): Socket => {
      // Without allowHalfOpen Node ends its side, too, when the server's has ended; here the client ends first.
      const client = connect({ path, allowHalfOpen: true });
      client.on('error', () => undefined);
      clients.push(client);
      client.write(framed(utf8(text)));
      return client;
    };
    const [leaves, halves] = [open('leaves'), open('halves')];
    const answered = new Promise<Buffer>((resolve) => halves.once('data', (data) => resolve(data as Buffer)));
    await until(() => asked.size === 2);
    halves.end();
    leaves.destroy();
    await until(() => gone.length > 0);
    await delay(50);
    assert.deepEqual(gone, ['leaves']);
    assert.equal(asked.get('leaves')!.answer(utf8('late')), false);
    assert.equal(asked.get('halves')!.answer(utf8('served')), true);
    assert.deepEqual(await answered, Buffer.from(framed(utf8('served'))));
  });

  it('takes up to four descriptors, refuses more, and keeps none of them', async () => {
    const source = fileURLToPath(new URL('../../netns/inside/pass-route-socket.c', import.meta.url));
    const sender = join(folder, 'sender');
    execFileSync('gcc', ['-O1', '-o', sender, source]);
    const counts: number[] = [];
    listen((request) => {
      counts.push(request.fds.length);
      RouteSocket.adopt(request.fds[0]!).close();
      request.answer(utf8('taken'));
    });
    const send = async (copies: number): Promise<string> => {
      const outcome = await promisify(execFile)(sender, [path, 'request', String(copies)]).catch(() => ({
        stdout: '',
      }));
      return outcome.stdout;
    };
    await send(1); // whatever Node opens once is open now
    const before = readdirSync('/proc/self/fd').length;
    for (const [copies, answer] of [
      [1, 'taken'],
      [4, 'taken'],
      [5, ''],
      [200, ''],
    ] as const) {
      assert.equal(await send(copies), answer, `${copies} descriptors`);
    }
    assert.deepEqual(counts, [1, 1, 4]);
    assert.ok(readdirSync('/proc/self/fd').length <= before, 'descriptors stay open');
  });

  it('counts those that are still to be heard, also once its name is gone', async () => {
    const answered = Promise.withResolvers<void>();
    listen((request) => {
      request.answer(request.bytes);
      answered.resolve();
    });
    assert.equal(server!.unheard, 0);
    const client = connect(path);
    clients.push(client);
    await new Promise((resolve) => client.once('connect', resolve));
    server!.hide();
    assert.equal(existsSync(path), false);
    assert.equal(server!.unheard, 1);
    const request = framed(utf8('late'));
    client.write(request.subarray(0, 6));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(server!.unheard, 1);
    client.write(request.subarray(6));
    await answered.promise;
    assert.equal(server!.unheard, 0);
    server!.close();
    assert.equal(server!.unheard, 0);
  });

  it('is there for its owner alone, replaces a dead socket, and removes its own at the end', () => {
    listen(() => undefined);
    assert.equal(statSync(path).mode & 0o7777, 0o600);
    server!.close();
    assert.equal(existsSync(path), false);
    server!.close();
  });

  it('leaves the socket of a living server and files of other kinds alone', async () => {
    const other = createServer().listen(path);
    await new Promise((resolve) => other.once('listening', resolve));
    assert.throws(
      () => listen(() => undefined),
      (error) => error instanceof WeftError && error.code === 'E_SOCKET_TAKEN',
    );
    assert.ok(existsSync(path));
    await new Promise((resolve) => other.close(resolve));
    writeFileSync(path, 'a file');
    assert.throws(() => listen(() => undefined), /exists and is no socket/);
    assert.ok(existsSync(path));
  });

  it('names a path that is too long or has no folder', () => {
    const code = (at: string): string => {
      try {
        LocalSocket.listen(at, () => undefined).close();
        return 'none';
      } catch (error) {
        return (error as WeftError).code;
      }
    };
    assert.equal(code(join(folder, 'x'.repeat(120))), 'E_SOCKET');
    assert.equal(code(join(folder, 'no', 'folder')), 'E_SOCKET');
  });
});
