import { deepEqual, equal, match, ok } from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type Instant, instant } from '../../../../base/instant.ts';
import type { Warning } from '../../../../base/warning.ts';
import { KubernetesWarnings } from '../../../../daemon/kubernetes/kubernetes-warnings.ts';
import { NodeReports } from '../../../../daemon/kubernetes/node-reports.io.ts';
import type { Readiness } from '../../../../host/health-server.io.ts';
import { Log } from '../../../../host/log.ts';
import { ApiClient } from '../../../../kube/api-client.io.ts';
import { until } from '../../../cluster/command.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { FakeApi, json } from '../../kube/fake-api.ts';

const FULL: Warning = {
  code: 'E_NO_POD_ADDRESS',
  severity: 'error',
  message: 'none left',
  remedy: 'add some',
};

/** Faults of the API; what a real one makes of these requests is judged by test/netns/kubernetes. */
describe('NodeReports', () => {
  let api: FakeApi;
  let client: ApiClient;
  let reports: NodeReports;
  let warnings: KubernetesWarnings;
  let at: number;
  let readiness: Readiness;
  let problems: readonly Warning[];
  /** How often it looked at problems. */
  let looks: number;
  let condition: { readonly status: string; readonly reason: string } | undefined;
  /** Of requests that write, by path. */
  let statusOf: (request: IncomingMessage) => number;
  let bodies: { readonly path: string; readonly type: string | undefined; readonly body: unknown }[];

  beforeEach(async () => {
    api = await FakeApi.listen();
    client = new ApiClient(api.access, 'test');
    [at, looks, readiness, problems, condition, bodies] = [0, 0, { ready: true }, [], undefined, []];
    statusOf = () => 200;
    api.answer = (request, response) => void answer(request, response);
    const log = new Log(
      { write: () => {}, now: () => instant(at), date: () => 'D' },
      { level: 'info', format: 'text' },
    );
    warnings = new KubernetesWarnings(log, []);
    reports = new NodeReports({
      client,
      namespace: 'weft',
      nodeName: 'n1',
      isSpeaker: () => true,
      warnings,
      random: seededRandom(1),
      now: (): Instant => instant(at),
      date: () => 1_700_000_000_000,
      problems: () => {
        looks++;
        return problems;
      },
      readiness: () => readiness,
      everyMs: 5,
    });
  });
  afterEach(async () => {
    reports.stop();
    client.close();
    await api.close();
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) text += String(part);
    if (request.method === 'GET') {
      const conditions = condition === undefined ? [] : [{ type: 'NetworkUnavailable', ...condition }];
      return json(200, { status: { conditions } })(request, response);
    }
    const status = statusOf(request);
    if (status !== 200) return json(status, { reason: 'Forbidden', message: 'no' })(request, response);
    const body = JSON.parse(text) as { readonly status?: { readonly conditions: [typeof condition] } };
    bodies.push({ path: `${request.method} ${request.url}`, type: request.headers['content-type'], body });
    condition = body.status?.conditions[0] ?? condition;
    json(200, {})(request, response);
  }

  const rounds = (count = 10): Promise<void> => delay(5 * count);
  const written = (): string[] => bodies.map(({ path }) => path);
  /** As many errors as stand for long enough. */
  const warned = async (): Promise<void> => {
    const before = looks;
    await until('a look', () => looks > before);
    at += 60_000;
  };

  it('clears the condition of a cloud once, and leaves it then', async () => {
    condition = { status: 'True', reason: 'NoRouteCreated' };
    reports.start();
    await until('the condition', () => condition?.reason === 'WeftIsUp');
    await rounds();
    deepEqual(written(), ['PATCH /api/v1/nodes/n1/status']);
    equal(bodies[0]!.type, 'application/strategic-merge-patch+json');
    equal(api.requests.filter((each) => each.startsWith('GET')).length, 1, 'nor is it read again and again');
    // A controller sets it again: that is seen after a while.
    condition = { status: 'True', reason: 'NoRouteCreated' };
    at += 900_000;
    await until('the condition', () => condition?.reason === 'WeftIsUp');
  });

  it('sets it where weftd serves no more, and clears it where it does again', async () => {
    reports.start();
    await until('up', () => condition?.status === 'False');
    readiness = { ready: false, reason: 'removed' };
    await rounds();
    at += 60_000;
    await until('down', () => condition?.reason === 'WeftIsDown');
    readiness = { ready: true };
    await until('up', () => condition?.reason === 'WeftIsUp');
  });

  it('asks an API that refuses ever more rarely, and says what permission lacks', async () => {
    statusOf = () => 403;
    reports.start();
    await rounds(20);
    equal(api.requests.filter((each) => each.startsWith('PATCH')).length, 1);
    match(
      warnings.lines(instant(at)).join(),
      /answers 403 .*\(the condition NetworkUnavailable of this node\)/,
    );
    statusOf = () => 200;
    at += 300_000;
    await until('it to be granted', () => condition !== undefined);
    await rounds();
    deepEqual(warnings.lines(instant(at)), []);
  });

  it('tells a warning once, and keeps nothing for an API that is away', async () => {
    statusOf = ({ method }) => (method === 'POST' ? 503 : 200);
    problems = [FULL];
    reports.start();
    await warned();
    await until('it to be tried', () => api.requests.some((each) => each.startsWith('POST')));
    await rounds();
    equal(api.requests.filter((each) => each.startsWith('POST')).length, 1);
    // What is over when the API is back is not told.
    problems = [];
    await until('no fault', () => warnings.lines(instant(at)).length === 0);
    statusOf = () => 200;
    at += 400_000;
    await rounds();
    problems = [{ ...FULL, message: 'another' }];
    await warned();
    await until('an event', () => written().some((each) => each.startsWith('POST')));
    await rounds();
    const events = bodies.filter(
      ({ path }) => path === 'POST /apis/events.k8s.io/v1/namespaces/default/events',
    );
    equal(events.length, 1);
    ok(JSON.stringify(events[0]!.body).includes('another; add some'));
  });

  it('writes five events at most at once, and one a minute then', async () => {
    const codes = [
      'E_REMOVED',
      'E_GATE',
      'E_RING_FORK',
      'E_TWO_RINGS',
      'E_NAME_TAKEN',
      'E_HOST_NETWORK',
      'E_FENCE_PENDING',
    ];
    problems = codes.map((code) => ({ ...FULL, code }));
    const posts = (): number => written().filter((each) => each.startsWith('POST')).length;
    reports.start();
    await warned();
    await until('five', () => posts() === 5);
    await rounds();
    equal(posts(), 5);
    at += 60_000;
    await until('six', () => posts() === 6);
    await rounds();
    equal(posts(), 6);
  });
});
