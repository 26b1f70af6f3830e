import { deepEqual, equal, ok } from 'node:assert/strict';
import { instant } from '../../../../base/instant.ts';
import { ApiClient } from '../../../../kube/api-client.io.ts';
import { ApiFaults } from '../../../../kube/api-faults.ts';
import { ClusterWatch } from '../../../../npc/watch/cluster-watch.io.ts';
import { until } from '../../../cluster/command.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { FakeApi, json } from '../../kube/fake-api.ts';
import { pod } from '../objects.ts';

describe('ClusterWatch', () => {
  it('reads pods from a server that does not know the field selector, and leaves out the same ones', async () => {
    const api = await FakeApi.listen();
    const client = new ApiClient(api.access, 'test');
    const items = [
      pod('a/runs', ['10.32.0.1']),
      pod('a/ended', ['10.32.0.2'], {}, { phase: 'Failed' }),
      pod('a/done', ['10.32.0.3'], {}, { phase: 'Succeeded' }),
      pod('a/host', ['192.0.2.1'], {}, { hostNetwork: true }),
    ];
    let say: (type: string, object: object) => void = () => {};
    api.answer = (request, response) => {
      const url = request.url!;
      if (url.startsWith('/apis/policy.networking.k8s.io')) json(404, {})(request, response);
      else if (url.includes('fieldSelector='))
        json(400, { reason: 'BadRequest', message: 'field label not supported: spec.hostNetwork' })(
          request,
          response,
        );
      else if (url.includes('watch=1')) {
        response.flushHeaders();
        if (url.startsWith('/api/v1/pods'))
          say = (type, object) => response.write(`${JSON.stringify({ type, object })}\n`);
      } else {
        const found = url.startsWith('/api/v1/pods') ? items : [];
        json(200, { metadata: { resourceVersion: '1' }, items: found })(request, response);
      }
    };
    const known = new Set<string>();
    const faults: string[] = [];
    let served = 0;
    const ignored = (): void => {};
    const watch = new ClusterWatch({
      client,
      random: seededRandom(1),
      now: () => instant(0),
      faults: new ApiFaults(),
      takers: {
        namespaces: ignored,
        nodes: ignored,
        networkpolicies: ignored,
        clusternetworkpolicies: ignored,
        pods: ({ gone, added }) => {
          for (const { name } of gone) known.delete(name);
          for (const { name } of added) known.add(name);
        },
      },
      onComplete: () => served++,
      onFault: (kind) => faults.push(kind),
      onServed: ignored,
    });
    try {
      watch.start();
      await until('all kinds to be complete', () => served === 1);
      deepEqual([...known], ['runs']);
      const asked = api.requests.filter((each) => each.startsWith('GET /api/v1/pods?'));
      equal(asked.filter((each) => each.includes('fieldSelector=')).length, 1);
      await until('the watch of pods', () => api.requests.some((each) => /pods\?.*watch=1/.test(each)));
      say('ADDED', pod('a/other', ['192.0.2.1'], {}, { hostNetwork: true }));
      say('MODIFIED', pod('a/runs', ['10.32.0.1'], {}, { phase: 'Succeeded' }));
      await until('the pod that ended to be gone', () => known.size === 0);
      ok(watch.isCurrent);
      deepEqual(faults, []);
    } finally {
      watch.stop();
      client.close();
      await api.close();
    }
  });
});
