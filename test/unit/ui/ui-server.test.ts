import { deepEqual, equal, match, ok } from 'node:assert/strict';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { WeftError } from '../../../base/weft-error.ts';
import { pageFiles } from '../../../ui/page-files.io.ts';
import type { Picture } from '../../../ui/picture/picture.ts';
import { UiServer } from '../../../ui/ui-server.io.ts';
import { FakePrograms } from './ui-fixtures.ts';

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answered, for tests to look into.
  readonly json: any;
}

describe('the server of the page', () => {
  let server: UiServer;
  let programs: FakePrograms;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    programs = new FakePrograms();
    server = await UiServer.listen({
      ...{ port: 0, files: pageFiles(), asked: programs, cluster: true, reasons: {} },
      ...{ kubernetes: undefined, version: '9.9.9' },
    });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await server.close();
  });

  /** One request on a connection of its own, with exactly these fields. */
  const ask = (
    path: string,
    {
      method = 'GET',
      headers = {},
      body,
    }: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const asked = httpRequest(
        { host: '127.0.0.1', port: server.port, path, method, headers, agent: false },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          answer.on('end', () => {
            const isJson = answer.headers['content-type']?.startsWith('application/json') === true;
            const json = isJson ? JSON.parse(text) : undefined;
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text, json });
          });
        },
      );
      asked.on('error', reject).end(body);
    });
  const exchange = (token: string, headers: Record<string, string> = {}): Promise<Answered> =>
    ask('/api/session', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ token }),
    });
  const tokenOf = (link: string): string => link.split('#')[1]!;
  const signIn = async (): Promise<string> => (await exchange(tokenOf(server.newLink()))).json.session;
  const bearer = (session: string): Record<string, string> => ({ authorization: `Bearer ${session}` });

  /** A stream of events that is read; `events` grows. */
  const live = async (
    session: string,
  ): Promise<{ socket: Socket; text: () => string; until: (pattern: RegExp) => Promise<void> }> => {
    const socket = connect(server.port, '127.0.0.1');
    sockets.push(socket);
    let text = '';
    socket.setEncoding('utf8').on('data', (part: unknown) => {
      text += part as string;
    });
    socket.on('error', () => {});
    socket.write(`GET /api/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${session}\r\n\r\n`);
    const until = async (pattern: RegExp): Promise<void> => {
      for (let i = 0; i < 400; i++) {
        if (pattern.test(text)) return;
        await delay(25);
      }
      throw new Error(`${pattern} did not come: ${text.slice(-400)}`);
    };
    return { socket, text: () => text, until };
  };

  it('gives a session for its link, once, and a picture for the session', async () => {
    const link = server.newLink();
    match(link, /^http:\/\/127\.0\.0\.1:\d+\/#[\w-]{43}$/);
    const first = await exchange(tokenOf(link));
    deepEqual([first.status, first.json.viewer], [200, { user: null, namespaces: null, seesNodes: true }]);
    equal((await exchange(tokenOf(link))).json.error.code, 'E_UI_LINK');
    const { status, json } = await ask('/api/picture', { headers: bearer(first.json.session) });
    const picture = json as Picture;
    equal(status, 200);
    deepEqual(
      [picture.node, picture.nodes.map(({ name }) => name), picture.tunnels[0]?.path, picture.edges[0]?.id],
      ['n1', ['n1', 'n2'], 'direct', 'w:red/web>w:blue/db'],
    );
  });

  it('shows a local user without a session the page, and nothing of what it is about', async () => {
    const wrong = [
      {},
      bearer('x'.repeat(43)),
      bearer(tokenOf(server.newLink())),
      { cookie: `s=${await signIn()}` },
    ];
    for (const headers of wrong)
      for (const path of ['/api/picture', '/api/live', '/api/tunnel?id=x', '/api/nothing']) {
        const { status, json } = await ask(path, { headers });
        deepEqual([path, status, json.error.code], [path, 403, 'E_UI_SESSION']);
      }
    deepEqual(programs.asked, []);
    equal((await ask('/page/main.js?x=1')).status, (await ask('/page/main.js')).status);
  });

  it('sets no cookie, which a browser would give to every port of this host', async () => {
    const answers = [await ask('/'), await exchange(tokenOf(server.newLink()))];
    deepEqual(
      answers.map(({ headers }) => headers['set-cookie']),
      [undefined, undefined],
    );
  });

  it('refuses a page that has its own name lead here, and pages of other origins', async () => {
    const session = await signIn();
    const { port } = server;
    const attacks: readonly (readonly [headers: Record<string, string>, code: string])[] = [
      [{ host: `rebound.example:${port}` }, 'E_UI_HOST'],
      [{ origin: 'http://evil.example' }, 'E_UI_ORIGIN'],
      [{ origin: 'null' }, 'E_UI_ORIGIN'],
      [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 'E_UI_SITE'],
      [{ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }, 'E_UI_SITE'],
    ];
    for (const [headers, code] of attacks) {
      const {
        status,
        json,
        headers: answered,
      } = await ask('/api/picture', {
        headers: { ...bearer(session), ...headers },
      });
      deepEqual([status, json.error.code], [403, code]);
      equal(answered['access-control-allow-origin'], undefined);
      const link = tokenOf(server.newLink());
      equal((await exchange(link, headers)).json.error.code, code);
      equal((await exchange(link)).status, 200, 'an attack does not use the link up');
    }
    const form = { 'content-type': 'text/plain' };
    equal((await exchange(tokenOf(server.newLink()), form)).json.error.code, 'E_UI_TYPE');
    const preflight = await ask('/api/session', {
      method: 'OPTIONS',
      headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
    });
    deepEqual([preflight.status, preflight.headers['access-control-allow-origin']], [403, undefined]);
  });

  it('tells browsers with each answer what the page may load, and that nobody may frame it', async () => {
    for (const path of ['/', '/api/session', '/api/picture', '/nothing']) {
      const { headers } = await ask(path);
      const policy = String(headers['content-security-policy']);
      match(policy, /default-src 'none'/);
      match(policy, /frame-ancestors 'none'/);
      ok(!policy.includes('unsafe'), policy);
      deepEqual(
        [headers['x-content-type-options'], headers['cache-control'], headers['referrer-policy']],
        ['nosniff', 'no-store', 'no-referrer'],
      );
    }
  });

  it('has no files but those of the page', async () => {
    const paths = [
      ...['/page/../ui.io.ts', '/page/%2e%2e/ui.io.ts', '/../package.json', '/vendor/../../package.json'],
      ...['//etc/passwd', '/page/', '/vendor/package.json', '/page/__proto__', '/constructor'],
    ];
    for (const path of paths) deepEqual([path, (await ask(path)).status], [path, 404]);
    equal((await ask('/vendor/d3-force.js')).status, 200);
  });

  it('tells what is new as it comes, to all who look, and asks weftd nothing once nobody does', async () => {
    const [a, b] = [await live(await signIn()), await live(await signIn())];
    for (const each of [a, b]) await each.until(/event: picture\ndata: \{.*"node":"n1"/);
    await a.until(/event: \w+\ndata: \{.*"w:red\/web>w:blue\/db"/);
    await a.until(/event: change/);
    await b.until(/event: change/);
    equal(server.viewers, 2);
    for (const { socket } of [a, b]) socket.destroy();
    await delay(100);
    equal(server.viewers, 0);
    await delay(400);
    const before = programs.asked.length;
    await delay(2_600);
    equal(programs.asked.length, before);
  }).timeout(15_000);

  it('says so where weftd goes away, and goes on when it is there again', async () => {
    const stream = await live(await signIn());
    await stream.until(/event: picture/);
    programs.fault = new WeftError('E_NO_DAEMON', 'no weftd answers', 'start it');
    await stream.until(/"away":"no weftd answers"/);
    programs.fault = undefined;
    await stream.until(/"away":"no weftd answers".*\n[\s\S]*"away":null/);
  }).timeout(15_000);

  it('ends with the reason', async () => {
    const session = await signIn();
    const [stream, other] = [await live(session), await live(await signIn())];
    await stream.until(/event: picture/);
    equal((await ask('/api/session', { method: 'DELETE', headers: bearer(session) })).status, 204);
    await stream.until(/event: end\ndata: \{"code":"E_UI_SESSION"/);
    equal((await ask('/api/picture', { headers: bearer(session) })).status, 403);
    const closed = server.close();
    await other.until(/event: end\ndata: \{"code":"E_UI_OVER"/);
    await closed;
    server = await UiServer.listen({
      ...{ port: 0, files: pageFiles(), asked: programs, cluster: true, reasons: {} },
      ...{ kubernetes: undefined, version: '9.9.9' },
    });
  }).timeout(15_000);

  it('takes 200 who look, tells the next one, and ten of one session', async () => {
    const sessions = await Promise.all(Array.from({ length: 21 }, signIn));
    const streams = [];
    for (const session of sessions.slice(0, 20))
      for (let i = 0; i < 10; i++) streams.push(await live(session));
    for (const stream of streams) await stream.until(/event: picture/);
    equal(server.viewers, 200);
    const { status, json } = await ask('/api/live', { headers: bearer(sessions[20]!) });
    deepEqual([status, json.error.code], [503, 'E_UI_VIEWERS']);
    for (const stream of streams) await stream.until(/event: change/);
  }).timeout(30_000);

  it('gives strangers who hold connections open no more of them than there are places', async () => {
    const held = Array.from({ length: 300 }, () => connect(server.port, '127.0.0.1'));
    sockets.push(...held);
    let closed = 0;
    for (const socket of held)
      socket
        .on('error', () => {})
        .on('close', () => closed++)
        .resume();
    for (let i = 0; i < 200 && closed < 172; i++) await delay(25);
    ok(closed >= 172, `${closed} of 300 were closed`);
    const session = await signIn();
    equal((await ask('/api/picture', { headers: bearer(session) })).status, 200);
  });

  it('counts attempts at a session, so that nobody tries them all', async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => exchange('x'.repeat(42) + (i % 10))),
    );
    const often = answers.filter(({ status }) => status === 429).length;
    ok(often >= 5, `${often} of 60 were refused`);
    ok(answers.every(({ status }) => status !== 200));
  });

  it('reads no body without an end, and none that is no JSON', async () => {
    const headers = { 'content-type': 'application/json' };
    const bodies = ['{', '[]', 'null', '"x"', '{}', '{"token":7}'];
    for (const body of bodies) {
      const { status, json } = await ask('/api/session', { method: 'POST', headers, body });
      deepEqual([body, status, json.error.code], [body, 400, 'E_UI_BODY']);
    }
    const large = await ask('/api/session', { method: 'POST', headers, body: ' '.repeat(200_000) });
    equal(large.json.error.code, 'E_UI_LARGE');
  });

  it('takes no token of Kubernetes where it was not told to', async () => {
    const { status, json } = await ask('/api/session', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ kubernetesToken: 'abc' }),
    });
    deepEqual([status, json.error.code], [403, 'E_UI_NO_TOKENS']);
    deepEqual((await ask('/api/session')).json, { tokens: false });
  });

  it('listens on the loopback alone', async () => {
    const { networkInterfaces } = await import('node:os');
    const others = Object.values(networkInterfaces())
      .flat()
      .filter((each) => each !== undefined && !each.internal && !each.address.startsWith('fe80'));
    for (const { address } of others as { address: string }[]) {
      const error = await new Promise((resolve) => {
        const socket = connect(server.port, address);
        socket.once('connect', () => resolve('connected')).once('error', (fault) => resolve(fault));
        sockets.push(socket);
      });
      equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED', address);
    }
  });
});
