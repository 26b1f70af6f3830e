import { deepEqual, equal, rejects } from 'node:assert/strict';
import { ApiClient } from '../../../kube/api-client.io.ts';
import { FakeApi, json } from './fake-api.ts';

describe('ApiClient', () => {
  let api: FakeApi;
  let client: ApiClient;
  beforeEach(async () => {
    api = await FakeApi.listen();
    client = new ApiClient(api.access, 'weftd/test');
  });
  afterEach(async () => {
    client.close();
    await api.close();
  });

  it("sends the pod's token, as it is at the time, and reads JSON", async () => {
    const seen: (string | undefined)[] = [];
    api.answer = (request, response) => {
      seen.push(request.headers.authorization, request.headers['user-agent']);
      json(200, { kind: 'Node' })(request, response);
    };
    deepEqual(await client.request('/api/v1/nodes/a'), { kind: 'Node' });
    api.token = 'second';
    await client.request('/api/v1/nodes/a');
    deepEqual(seen, ['Bearer first', 'weftd/test', 'Bearer second', 'weftd/test']);
  });

  it('sends a body as JSON', async () => {
    let body = '';
    api.answer = (request, response) => {
      request.on('data', (data: Buffer) => {
        body += data.toString();
      });
      request.on('end', () => json(201, {})(request, response));
    };
    await client.request('/x', { method: 'POST', body: { a: 1 } });
    equal(body, '{"a":1}');
  });

  for (const [status, reason] of [
    [401, 'Unauthorized'],
    [403, 'Forbidden'],
    [409, 'AlreadyExists'],
    [500, 'InternalError'],
  ] as const) {
    it(`rejects with what the server says: ${status} ${reason}`, async () => {
      api.answer = json(status, { kind: 'Status', reason, message: 'it says why' });
      await rejects(client.request('/x'), { name: 'ApiError', status, reason, message: 'it says why' });
    });
  }

  it('tells how long a busy server wants to be left alone, within reason', async () => {
    api.answer = json(429, { reason: 'TooManyRequests' }, { 'retry-after': '7' });
    await rejects(client.request('/x'), { status: 429, retryAfterMs: 7_000 });
    api.answer = json(429, {}, { 'retry-after': '999999' });
    await rejects(client.request('/x'), { status: 429, reason: 'Status429', retryAfterMs: 120_000 });
  });

  it('rejects an answer that is no JSON, and one that breaks off', async () => {
    api.answer = (_request, response) => response.end('<html>');
    await rejects(client.request('/x'), { reason: 'NoJson' });
    api.answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"a":');
      setTimeout(() => response.destroy(), 20);
    };
    await rejects(client.request('/x'), { name: 'ApiError', reason: 'Broken' });
  });

  const nameOf = (item: unknown): string | undefined => (item as { readonly name?: string }).name;

  it('reads the items of a list one by one, and leaves out what is not wanted', async () => {
    const metadata = { resourceVersion: '7' };
    api.answer = json(200, { metadata, items: [{ name: 'a' }, {}, { name: 'b' }] });
    const head = { metadata, items: [] };
    deepEqual(await client.list('/x', nameOf), { head, objects: ['a', 'b'] });
  });

  for (const [what, text] of [
    ['with an item that is no JSON', '{"items":[{"name":"a"},{"name":]}'],
    ['with a head that is no JSON', '{"items":[{"name":"a"}]'],
    // What no server writes must not be taken for a list without items.
    ['that writes its key otherwise', '{"\\u0069tems":[{"name":"a"}]}'],
  ] as const) {
    it(`rejects a list ${what}`, async () => {
      api.answer = (_request, response) => response.end(text);
      await rejects(client.list('/x', nameOf), { name: 'ApiError', reason: 'NoJson' });
    });
  }

  it('waits for a list as long as it comes on, and no longer', async () => {
    const impatient = new ApiClient(api.access, 'weftd/test', { timeoutMs: 1_000 });
    const pieces = ['{"items":[', '{"name":"a"},', '{"name":', '"b"}', ']}'];
    let sent = pieces.length;
    api.answer = (_request, response) => {
      const sending = setInterval(() => {
        if (sent < pieces.length) response.write(pieces[sent++]);
        else response.end();
        if (response.writableEnded) clearInterval(sending);
      }, 250);
      response.on('close', () => clearInterval(sending));
      response.flushHeaders();
      sent = 0;
    };
    deepEqual((await impatient.list('/x', nameOf)).objects, ['a', 'b']);
    api.answer = (_request, response) => {
      response.write('{"items":[{"name":"a"},');
    };
    await rejects(impatient.list('/x', nameOf), { name: 'ApiError', reason: 'Broken' });
    impatient.close();
  });

  it('rejects a list that breaks off, and hands on what its reader throws; others are served after that', async () => {
    api.answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"items":[{"name":"a"},');
      setTimeout(() => response.destroy(), 20);
    };
    await rejects(client.list('/x', nameOf), { name: 'ApiError', reason: 'Broken' });
    const items = Array.from({ length: 20_000 }, (_, i) => ({ name: `pod-${i}` }));
    api.answer = json(200, { items });
    const failing = (): never => {
      throw new TypeError('the reader');
    };
    for (let i = 0; i < 6; i++) await rejects(client.list('/x', failing), TypeError);
    equal((await client.list('/x', nameOf)).objects.length, items.length);
  });

  it('does not trust a server with another certificate', async () => {
    const other = await FakeApi.listen();
    const stranger = new ApiClient({ ...api.access, ca: other.access.ca }, 'weftd/test');
    await rejects(stranger.request('/x'), { reason: 'Untrusted', status: 0 });
    stranger.close();
    await other.close();
  });

  it('hands on the lines of a watch however they are cut, and ends with it', async () => {
    const text = '{"a":"ä"}\n{"b":2}\n';
    const bytes = Buffer.from(text);
    api.answer = (_request, response) => {
      for (const byte of bytes) response.write(Buffer.from([byte]));
      response.end();
    };
    const { signal } = new AbortController();
    const lines = await client.watch('/x', { silenceMs: 1_000, signal });
    deepEqual(await linesOf(lines), ['{"a":"ä"}', '{"b":2}']);
  });

  it('gives up a request and a watch that are never answered', async () => {
    const impatient = new ApiClient(api.access, 'weftd/test', { timeoutMs: 100 });
    api.answer = () => {};
    const { signal } = new AbortController();
    await rejects(impatient.request('/x'), { status: 0, reason: 'NoAnswer' });
    const watch = { silenceMs: 60_000, signal };
    await rejects(impatient.watch('/x', watch), {
      status: 0,
      reason: 'NoAnswer',
      message: 'the API server does not answer within 100 ms',
    });
    impatient.close();
  });

  it('gives up a watch that is silent, and one that is refused', async () => {
    const { signal } = new AbortController();
    const watch = { silenceMs: 100, signal };
    api.answer = (_request, response) => response.write('{}\n');
    await rejects(linesOf(await client.watch('/x', watch)), { reason: 'Silent' });
    api.answer = json(403, { reason: 'Forbidden', message: 'no' });
    await rejects(client.watch('/x', watch), { status: 403, reason: 'Forbidden' });
  });

  it('says of a watch that breaks off that it broke, and of what its reader throws nothing', async () => {
    const { signal } = new AbortController();
    const watch = { silenceMs: 10_000, signal };
    api.answer = (_request, response) => {
      response.write('{}\n');
      setTimeout(() => response.destroy(), 20);
    };
    await rejects(linesOf(await client.watch('/x', watch)), { name: 'ApiError', reason: 'Broken' });
    const bug = new TypeError('an invariant is broken');
    const read = async (): Promise<void> => {
      for await (const _line of await client.watch('/x', watch)) throw bug;
    };
    await rejects(read(), bug);
  });
});

async function linesOf(watch: AsyncIterable<string>): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of watch) lines.push(line);
  return lines;
}
