import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { podOfArgs } from '../../../cni/pod-args.ts';

describe('CNI_ARGS', () => {
  const usual =
    'IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=u-1';

  it('name a pod as kubelet does, in any order', () => {
    const pod = { kind: 'pod', namespace: 'ns', name: 'web-0', uid: 'u-1' };
    deepEqual(podOfArgs(usual), pod);
    deepEqual(podOfArgs(usual.split(';').reverse().join(';')), pod);
    deepEqual(podOfArgs(`${usual};K8S_POD_NAME=web-0`), pod, 'twice the same');
  });

  it('name one without a UID as older runtimes do', () =>
    deepEqual(podOfArgs('K8S_POD_NAMESPACE=ns;K8S_POD_NAME=a'), {
      kind: 'pod',
      namespace: 'ns',
      name: 'a',
      uid: '',
    }));

  for (const args of [undefined, 1, '', 'IgnoreUnknown=1', 'K8S_POD_NAME=;K8S_POD_NAMESPACE=', ';;==;'])
    it(`name none: ${JSON.stringify(args)}`, () => equal(podOfArgs(args).kind, 'none'));

  for (const args of [
    'K8S_POD_NAME=a',
    'K8S_POD_NAMESPACE=ns',
    'K8S_POD_UID=u',
    'K8S_POD_NAMESPACE=NS;K8S_POD_NAME=a',
    'K8S_POD_NAMESPACE=ns;K8S_POD_NAME=../a',
    'K8S_POD_NAMESPACE=ns;K8S_POD_NAME=-a',
    'K8S_POD_NAMESPACE=ns;K8S_POD_NAME=a b',
    'K8S_POD_NAMESPACE=ns;K8S_POD_NAME=a;K8S_POD_UID=u u',
    `K8S_POD_NAMESPACE=${'n'.repeat(64)};K8S_POD_NAME=a`,
    `K8S_POD_NAMESPACE=ns;K8S_POD_NAME=${'a'.repeat(254)}`,
    `${usual};K8S_POD_NAMESPACE=other`,
    `K8S_POD_NAMESPACE=${'a;'.repeat(8000)}`,
  ])
    it(`name one that is none of Kubernetes: ${JSON.stringify(args.slice(0, 80))}`, () =>
      equal(podOfArgs(args).kind, 'unclear'));

  it('may be anything at all', () => {
    fc.assert(fc.property(fc.string({ maxLength: 300 }), (args) => void podOfArgs(args)));
  });
});
