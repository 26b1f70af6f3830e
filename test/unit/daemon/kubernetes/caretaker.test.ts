import { deepEqual, equal } from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { Caretaker } from '../../../../daemon/kubernetes/caretaker.io.ts';
import { KubernetesWarnings } from '../../../../daemon/kubernetes/kubernetes-warnings.ts';
import { clock } from '../../../../host/clock.io.ts';
import { Log } from '../../../../host/log.ts';
import { ApiClient } from '../../../../kube/api-client.io.ts';
import { secretObject } from '../../../../kube/secret-object.ts';
import { until } from '../../../cluster/command.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { FakeApi, json } from '../../kube/fake-api.ts';

describe('Caretaker', () => {
  let api: FakeApi;
  let client: ApiClient;
  let caretaker: Caretaker;
  let warnings: KubernetesWarnings;
  /** The Secret that is there, and the watch of it. */
  let secret: Record<string, unknown> | undefined;
  let watch: ServerResponse | undefined;
  let created: string[];
  let version: number;
  let ownGenesis: Uint8Array | undefined;
  let refuse: boolean;

  const stored = (text: string): Record<string, unknown> => ({
    ...secretObject('weft', text),
    metadata: { namespace: 'weft', name: 'weft-secret', uid: `u${version}`, resourceVersion: `${++version}` },
  });
  const tell = (type: string, object: unknown): unknown =>
    watch?.write(`${JSON.stringify({ type, object })}\n`);

  beforeEach(async () => {
    api = await FakeApi.listen();
    client = new ApiClient(api.access, 'test');
    [secret, watch, created, version, ownGenesis, refuse] = [undefined, undefined, [], 1, undefined, false];
    api.answer = (request, response) => {
      const url = new URL(request.url!, 'https://x');
      if (request.method === 'POST') {
        if (refuse) return json(403, { reason: 'Forbidden' })(request, response);
        let body = '';
        request.on('data', (data: Buffer) => {
          body += data.toString();
        });
        request.on('end', () => {
          const { metadata, data } = JSON.parse(body);
          created.push(metadata.name);
          json(201, {})(request, response);
          if (metadata.name !== 'weft-secret') return;
          secret = stored(atob(data.secret));
          tell('ADDED', secret);
        });
        return;
      }
      if (url.searchParams.has('watch')) {
        response.flushHeaders();
        if (url.pathname.endsWith('/secrets')) watch = response;
        return;
      }
      const items = url.pathname.endsWith('/secrets') && secret !== undefined ? [secret] : [];
      json(200, { metadata: { resourceVersion: '1' }, items })(request, response);
    };
    const log = new Log({ write: () => {}, now: clock, date: () => 'D' }, { level: 'info', format: 'text' });
    warnings = new KubernetesWarnings(log, []);
    caretaker = new Caretaker({
      client,
      namespace: 'weft',
      random: seededRandom(1),
      now: clock,
      log,
      warnings,
      cluster: { id: 'ours', idOf: (text) => text, secret: () => 'ours\n' },
      ownGenesis: () => ownGenesis,
      nodeName: 'n1',
      ranges: [],
    });
  });
  afterEach(async () => {
    caretaker.stop();
    client.close();
    await api.close();
  });

  const watched = (): Promise<unknown> => until('a watch of the Secret', () => watch !== undefined);

  it('creates nothing before it knows what is there, nor where all is there', async () => {
    await caretaker.putBack(true);
    secret = stored('ours');
    caretaker.start();
    await watched();
    await caretaker.putBack(true);
    deepEqual(created, []);
    deepEqual(warnings.lines(clock()), []);
  });

  it('puts the Secret back when somebody deletes it, again and again', async () => {
    secret = stored('ours');
    caretaker.start();
    await watched();
    for (const count of [1, 2]) {
      tell('DELETED', {
        ...secret,
        metadata: { ...(secret.metadata as object), resourceVersion: `${++version}` },
      });
      await until('the Secret to be put back', async () => {
        await caretaker.putBack(true);
        return created.length === count;
      });
      equal(atob((secret.data as { secret: string }).secret), 'ours');
      await until('the watch to show it', async () => {
        await caretaker.putBack(true);
        return created.length >= count;
      });
    }
  });

  it('puts the object that began the ring back where it is missing and the node has a part in the ring', async () => {
    secret = stored('ours');
    caretaker.start();
    await watched();
    await caretaker.putBack(false);
    deepEqual(created, [], 'it has no part in a ring');
    ownGenesis = new Uint8Array([1]);
    await caretaker.putBack(false);
    deepEqual(created, ['weft-genesis']);
  });

  it('never replaces another Secret, but warns of it until the right one is there', async () => {
    secret = stored('theirs');
    caretaker.start();
    const isWarned = (): boolean => /not the one of this node's cluster/.test(warnings.lines(clock()).join());
    await until('the warning', isWarned);
    await watched();
    await caretaker.putBack(true);
    deepEqual(created, []);
    tell('DELETED', {
      ...secret,
      metadata: { ...(secret.metadata as object), resourceVersion: `${++version}` },
    });
    await until('the right one', async () => {
      await caretaker.putBack(true);
      return created.length === 1;
    });
    await until('the warning to go', () => !isWarned());
  });

  it('says that it may not put back, and does not ask at once again', async () => {
    refuse = true;
    caretaker.start();
    await watched();
    await caretaker.putBack(true);
    await caretaker.putBack(true);
    equal(api.requests.filter((each) => each.startsWith('POST')).length, 1);
    equal(/answers 403 .*putting back/.test(warnings.lines(clock()).join()), true);
    caretaker.stop();
    deepEqual(warnings.lines(clock()), []);
  });
});
