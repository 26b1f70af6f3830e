import { deepEqual, equal } from 'node:assert/strict';
import { workloadOfEnd, workloadOfPod } from '../../../ui/picture/workload-name.ts';
import { outsider, pod } from './ui-fixtures.ts';

describe('the workload of a pod', () => {
  const cases: readonly (readonly [what: string, pod: string, workload: string])[] = [
    ['of a Deployment', 'web-5d9c7b8f6d-x2x4z', 'web'],
    ['of a Deployment with a name of parts', 'my-shop-web-7c5ddbdf54-2xkqn', 'my-shop-web'],
    ['of a DaemonSet', 'kube-proxy-9xk2w', 'kube-proxy'],
    ['of a StatefulSet', 'db-12', 'db'],
    ['of a CronJob', 'backup-29401234-kc7vb', 'backup'],
    ['of its own name', 'toolbox', 'toolbox'],
    ['whose end holds letters that are never generated', 'api-users', 'api-users'],
  ];
  for (const [what, name, workload] of cases)
    it(`is found ${what}`, () => equal(workloadOfPod(name), workload));
});

describe('an end of a flow', () => {
  it('belongs to a workload, a node, an address of the cluster, or to what is outside', () => {
    deepEqual(
      [
        workloadOfEnd(pod('red/web-5d9c7b8f6d-x2x4z', '10.32.0.2')),
        workloadOfEnd({ ...pod('', '10.32.0.1'), pod: null, isNode: true }),
        workloadOfEnd({ ...pod('', '10.32.0.9'), pod: null }),
        workloadOfEnd(outsider('192.0.2.1')),
        workloadOfEnd(null),
      ].map(({ id, kind, namespace, name }) => [id, kind, namespace, name]),
      [
        ['w:red/web', 'workload', 'red', 'web'],
        ['n:n1', 'node', null, 'n1'],
        ['a:10.32.0.9', 'address', null, '10.32.0.9'],
        ['o:192.0.2.1', 'outside', null, '192.0.2.1'],
        ['outside', 'outside', null, 'outside of the cluster'],
      ],
    );
  });

  it('shows no characters that steer a terminal, and keeps HTML as the text that it is', () => {
    const { name } = workloadOfEnd(pod('red/<script>alert(1)</script>\u001b[2J\u202e', '10.32.0.2'));
    equal(name, '<script>alert(1)<?'.replace('<?', '</script>?[2J?'));
  });
});
