import { deepEqual, equal, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import { concat, writeU32LE } from '../../../base/bytes.ts';
import { WeftError } from '../../../base/weft-error.ts';
import { askDaemon } from '../../../control/control-client.io.ts';
import { decodeRequest, encodeMessage, frame } from '../../../control/control-protocol.ts';
import { errorAnswer } from '../../../control/error-answer.ts';
import { TOTAL_WAIT_S } from '../../../control/flow-request.ts';

describe('askDaemon', () => {
  let folder: string;
  let server: Server | undefined;
  const open = new Set<Socket>();
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-run-'));
  });
  afterEach(async () => {
    for (const socket of open) socket.destroy();
    open.clear();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
    server = undefined;
    rmSync(folder, { recursive: true });
  });

  /** Serves each connection by `answer`, which gets the bytes of the first request. */
  const serve = (answer: (socket: Socket, request: Uint8Array) => void): Promise<void> =>
    new Promise((resolve) => {
      server = createServer((socket) => {
        open.add(socket);
        socket.on('error', () => {});
        socket.once('data', (request) => answer(socket, request));
      }).listen(join(folder, 'weft.sock'), resolve);
    });
  const codeOf = async (timeoutMs = 5000): Promise<string> => {
    try {
      await askDaemon(folder, { op: 'status' }, { timeoutMs });
    } catch (error) {
      ok(error instanceof WeftError, String(error));
      return error.code;
    }
    return 'none';
  };

  it('sends a framed request and takes an answer that comes in pieces', async () => {
    const result = { connecting: ['b:6783'], padding: 'x'.repeat(100_000) };
    let asked: unknown;
    await serve((socket, request) => {
      asked = decodeRequest(request.subarray(4));
      const bytes = frame(encodeMessage({ ok: true, result }));
      socket.write(bytes.subarray(0, 2));
      setImmediate(() => {
        socket.write(bytes.subarray(2, 7));
        setImmediate(() => socket.end(bytes.subarray(7)));
      });
    });
    deepEqual(await askDaemon(folder, { op: 'connect', peers: ['b'] }), result);
    deepEqual(asked, { ok: true, value: { op: 'connect', peers: ['b'] } });
  });

  it('rejects with the error that weftd gave', async () => {
    await serve((socket) => {
      socket.end(
        frame(encodeMessage(errorAnswer(new WeftError('E_POOL', 'no range is left', 'give a larger one')))),
      );
    });
    equal(await codeOf(), 'E_POOL');
  });

  it('knows that no weftd runs, with and without a socket left behind', async () => {
    equal(await codeOf(), 'E_NO_DAEMON');
    rmSync(folder, { recursive: true });
    equal(await codeOf(), 'E_NO_DAEMON');
    folder = mkdtempSync(join(tmpdir(), 'weft-run-'));
  });

  it('waits for totals longer than weftd watches before it tells them', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      await serve((socket) => {
        mock.timers.tick(TOTAL_WAIT_S * 1000 + 5_000);
        socket.end(frame(encodeMessage({ ok: true, result: {} })));
      });
      const asked = { op: 'flowTotals', seconds: 10, wait: true, by: 'bytes', limit: 1 } as const;
      deepEqual(await askDaemon(folder, asked), {});
    } finally {
      mock.timers.reset();
    }
  });

  const broken: readonly [string, (socket: Socket) => void][] = [
    ['hangs up', (socket) => void socket.end()],
    [
      'hangs up in the middle',
      (socket) => void socket.end(frame(encodeMessage({ ok: true, result: {} })).subarray(0, 9)),
    ],
    ['answers no JSON', (socket) => void socket.end(frame(new Uint8Array([0xff])))],
    ['answers something else', (socket) => void socket.end(frame(new TextEncoder().encode('{"ok":1}')))],
    ['announces too much', (socket) => void socket.write(announced(0xffffffff))],
  ];
  for (const [what, answer] of broken) {
    it(`rejects where the other end ${what}`, async () => {
      await serve(answer);
      equal(await codeOf(), 'E_NO_ANSWER');
    });
  }

  it('gives up on a weftd that does not answer', async () => {
    await serve(() => {});
    equal(await codeOf(20), 'E_NO_ANSWER');
  });
});

function announced(length: number): Uint8Array {
  const head = new Uint8Array(4);
  writeU32LE(head, 0, length);
  return concat(head, new Uint8Array(10));
}
