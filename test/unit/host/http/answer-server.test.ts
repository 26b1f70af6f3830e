import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { parseEndpoint } from '../../../../base/endpoint.ts';
import { AnswerServer } from '../../../../host/http/answer-server.io.ts';

const PORT = 36785;
const AT = parseEndpoint(`127.0.0.1:${PORT}`)!;
const PAGES = {
  '/a': () => ({ status: 200 as const, body: 'grüße\n' }),
  '/later': () => new Promise<never>((_, reject) => setImmediate(reject, new Error('no'))),
} as const;

describe('AnswerServer', () => {
  let server: AnswerServer | undefined;
  const refused: string[] = [];
  const listen = async (over: Partial<Parameters<typeof AnswerServer.listen>[1]> = {}): Promise<void> => {
    refused.length = 0;
    server = await AnswerServer.listen(AT, {
      pages: PAGES,
      connections: 8,
      deadlineMs: 60_000,
      onRefused: (why) => refused.push(why),
      ...over,
    });
  };
  afterEach(() => server?.close());

  /** All that comes back for `text`, until the connection ends. */
  const say = async (text: string, { half = false } = {}): Promise<string> => {
    const socket = connect(PORT, '127.0.0.1');
    socket.on('error', () => {});
    let heard = '';
    socket.setEncoding('utf8').on('data', (part) => {
      heard += part;
    });
    if (half) socket.end(text);
    else socket.write(text);
    await once(socket, 'close');
    return heard;
  };
  const statusOf = async (text: string): Promise<number> => Number((await say(text)).split(' ')[1]);
  const open = async (): Promise<Socket> => {
    const socket = connect(PORT, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };

  it('answers what it knows, and says of all else what is wrong', async () => {
    await listen();
    const answer = await fetch(`http://${AT}/a?x`);
    deepEqual([answer.status, await answer.text()], [200, 'grüße\n']);
    equal(answer.headers.get('content-length'), '8');
    deepEqual(await (await fetch(`http://${AT}/b`)).text(), 'there is /a and /later\n');
    const posted = await fetch(`http://${AT}/a`, { method: 'POST', body: 'x' });
    deepEqual([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD']);
    const head = await fetch(`http://${AT}/a`, { method: 'HEAD' });
    deepEqual([head.status, await head.text(), head.headers.get('content-length')], [200, '', '8']);
    equal((await fetch(`http://${AT}/later`)).status, 500);
    equal((await fetch(`http://${AT}/toString`)).status, 404);
    equal(await statusOf('hello\r\n\r\n'), 400);
    equal(await statusOf(`GET /a HTTP/1.1\r\nX: ${'x'.repeat(5_000)}`), 431);
    match(await say('GET /a HTTP/1.0\r\n\r\n', { half: true }), /grüße/);
    equal(await say('GET /a', { half: true }), '');
    deepEqual(refused, []);
  });

  it('reads a request that comes a byte at a time', async () => {
    await listen();
    const socket = await open();
    socket.setNoDelay(true);
    let heard = '';
    socket.setEncoding('utf8').on('data', (part) => {
      heard += part;
    });
    for (const byte of 'GET /a HTTP/1.1\r\n\r\n') {
      socket.write(byte);
      await new Promise(setImmediate);
    }
    await once(socket, 'close');
    match(heard, /^HTTP\/1\.1 200 OK\r\n/);
  });

  it('ends a connection at its deadline, whatever it does', async () => {
    await listen({ deadlineMs: 50 });
    equal(await say('GET /a HTTP/1.1\r\n'), '');
    deepEqual(refused, ['tooSlow']);
  });

  it('closes the oldest where there are too many, and answers who asks', async () => {
    await listen();
    const held = await Promise.all(Array.from({ length: 20 }, open));
    equal((await fetch(`http://${AT}/a`)).status, 200);
    ok(refused.length >= 13 && refused.every((why) => why === 'tooMany'), refused.join());
    for (const socket of held) socket.destroy();
  });

  it('answers a source that asks too often that it does', async () => {
    await listen({ rate: { source: { burst: 2, perSecond: 0.001 }, all: { burst: 99, perSecond: 99 } } });
    const request = 'GET /a HTTP/1.1\r\n\r\n';
    deepEqual([await statusOf(request), await statusOf(request), await statusOf('')], [200, 200, 429]);
    deepEqual(refused, ['tooOften']);
  });

  it('rests where too many connect, and listens again', async () => {
    await listen({ rate: { source: { burst: 99, perSecond: 99 }, all: { burst: 3, perSecond: 99 } } });
    let refusals = 0;
    for (let i = 0; i < 20 && refusals === 0; i++)
      await fetch(`http://${AT}/a`).catch(() => {
        refusals++;
      });
    equal(refusals, 1);
    deepEqual(refused, ['tooOften']);
    for (let answered = false; !answered; )
      answered = await fetch(`http://${AT}/a`).then(
        ({ ok }) => ok,
        () => new Promise((resolve) => setTimeout(resolve, 50, false)),
      );
  });

  it('refuses a port that is taken', async () => {
    await listen();
    await rejects(listen(), { code: 'EADDRINUSE' });
  });
});
