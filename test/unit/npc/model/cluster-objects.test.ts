import { deepEqual, equal } from 'node:assert/strict';
import { readNamespace, readPolicyNode } from '../../../../npc/model/cluster-objects.ts';
import { LabelSets } from '../../../../npc/model/labels.ts';
import { readPod } from '../../../../npc/model/pod.ts';
import { meta, namespace, node, pod } from '../objects.ts';

const sets = new LabelSets();

describe('a pod, as policy reads it,', () => {
  it('has addresses in one way of writing, one of each family', () => {
    deepEqual(readPod(pod('ns/a', ['10.0.0.1', 'FD00:0::1']), sets)?.addresses, ['10.0.0.1', 'fd00::1']);
    deepEqual(readPod(pod('ns/a', ['x', '10.0.0.1']), sets)?.addresses, ['10.0.0.1']);
    deepEqual(readPod(pod('ns/a', []), sets)?.addresses, []);
  });

  it('has the address of an API that tells only one', () => {
    const old = { ...pod('ns/a', []), status: { phase: 'Running', podIP: '10.0.0.9' } };
    deepEqual(readPod(old, sets)?.addresses, ['10.0.0.9']);
  });

  it('has ended in two phases only', () => {
    const ended = ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'].filter(
      (phase) => readPod(pod('ns/a', [], {}, { phase }), sets)?.hasEnded,
    );
    deepEqual(ended, ['Succeeded', 'Failed']);
  });

  it('has the named ports of its containers and sidecars', () => {
    const value = pod(
      'ns/a',
      [],
      {},
      {
        ports: [
          { name: 'http', containerPort: 80 },
          { containerPort: 81 },
          { name: 'dns', containerPort: 53, protocol: 'UDP' },
          { name: 'bad', containerPort: 0 },
          { name: 'odd', containerPort: 5, protocol: 'ICMP' },
        ],
      },
    ) as { spec: object };
    const initial = (name: string, restartPolicy?: string): object => ({
      restartPolicy,
      ports: [{ name, containerPort: 9 }],
    });
    const spec = { ...value.spec, initContainers: [initial('once'), initial('side', 'Always')] };
    deepEqual(readPod({ ...value, spec }, sets)?.namedPorts, [
      { name: 'http', protocol: 'TCP', port: 80 },
      { name: 'dns', protocol: 'UDP', port: 53 },
      { name: 'side', protocol: 'TCP', port: 9 },
    ]);
  });

  it('has the hash by which runtimes know a static pod', () => {
    const metadata = { ...meta('a', 'ns'), annotations: { 'kubernetes.io/config.hash': 'abc' } };
    equal(readPod({ ...pod('ns/a', []), metadata }, sets)?.configHash, 'abc');
  });

  it('is none without names, whatever else is in it', () => {
    for (const value of [
      null,
      'pod',
      {},
      { metadata: meta('a') },
      { metadata: { name: 'a', namespace: 'ns' } },
    ]) {
      equal(readPod(value, sets), undefined);
    }
    equal(readPod({ metadata: meta('a', 'ns'), spec: 3, status: [] }, sets)?.addresses.length, 0);
  });
});

describe('a namespace and a node, as policy reads them,', () => {
  it('carry the name of a namespace as a label, whatever the object says', () => {
    const labels = readNamespace(
      namespace('ns', { 'kubernetes.io/metadata.name': 'other', a: 'b' }),
      sets,
    )!.labels;
    deepEqual([...labels].sort(), [
      ['a', 'b'],
      ['kubernetes.io/metadata.name', 'ns'],
    ]);
  });

  it('have the addresses of a node by type', () => {
    const value = { ...node('n', ['192.0.2.1']) } as { status: { addresses: object[] } };
    value.status.addresses.push(
      { type: 'ExternalIP', address: '198.51.100.1' },
      { type: 'Hostname', address: 'n.example' },
      { type: 'InternalIP', address: 'FD00::1' },
    );
    const read = readPolicyNode(value, sets);
    deepEqual(read?.internalAddresses, ['192.0.2.1', 'fd00::1']);
    deepEqual(read?.otherAddresses, ['198.51.100.1']);
  });
});
