import assert from 'node:assert/strict';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { run, until } from '../../cluster/command.ts';

/** DSCP "expedited forwarding", and with it ECT(0); the same without ECN. */
const MARKABLE = '0xba';
const UNMARKABLE = '0xb8';

/** Counts what passes a hook of a namespace and matches; `statements` may also change it. */
async function watch(
  namespace: string,
  hook: string,
  rules: Readonly<Record<string, string>>,
): Promise<void> {
  const script = [
    'table inet marks {',
    ...Object.keys(rules).map((name) => `counter ${name} { }`),
    `chain c { type filter hook ${hook} priority raw;`,
    ...Object.entries(rules).map(([name, rule]) => `${rule} counter name ${name}`),
    '}',
    '}',
  ];
  await run(['nft', '-f', '-'], { namespace, input: `${script.join('\n')}\n` });
}

async function counted(namespace: string, name: string): Promise<number> {
  const { stdout } = await run(['nft', 'list', 'counter', 'inet', 'marks', name], { namespace });
  return Number(/packets (\d+)/.exec(stdout)?.[1]);
}

describe('DSCP and congestion marks across a tunnel', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let b: ClusterNode;
  let from: ClusterPod;
  let to: ClusterPod;

  before(async () => {
    cluster = await Cluster.create();
    const [a, other] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    b = other;
    for (const node of [a, b]) await node.ready(30_000);
    await a.connected([b], 20_000);
    [from, to] = [await a.attachPod('from'), await b.attachPod('to')];
    await until('a pod to reach the other', () => from.ping(to.v4), { timeoutMs: 20_000 });
    await watch(b.namespace, 'prerouting', {
      outer: 'udp dport 6783 ip dscp 0x2e ip ecn ect0',
      outerPlain: 'udp dport 6783 ip dscp 0x2e ip ecn not-ect',
    });
    await watch(to.namespace, 'input', {
      inner: 'icmp type echo-request ip dscp 0x2e ip ecn ect0',
      marked: 'icmp type echo-request ip dscp 0x2e ip ecn ce',
      inner6: 'icmpv6 type echo-request ip6 dscp 0x2e ip6 ecn ect0',
      marked6: 'icmpv6 type echo-request ip6 dscp 0x2e ip6 ecn ce',
    });
  });
  after(() => cluster?.destroy());

  /** How many of three echo requests with this TOS byte were answered. */
  const pings = async (address: string, tos: string): Promise<number> => {
    const argv = ['ping', '-n', '-i', '0.05', '-c', '3', '-W', '1', '-Q', tos, address];
    const { stdout } = await from.run(argv, { mayFail: true });
    return Number(/(\d+) received/.exec(stdout)?.[1]);
  };

  it('the datagram has the byte of the packet within, which arrives with it', async () => {
    assert.equal(await pings(to.v4, MARKABLE), 3);
    assert.equal(await pings(to.v6, MARKABLE), 3);
    assert.equal(await pings(to.v4, UNMARKABLE), 3);
    assert.equal(await counted(b.namespace, 'outer'), 6);
    assert.equal(await counted(b.namespace, 'outerPlain'), 3);
    assert.equal(await counted(to.namespace, 'inner'), 3);
    assert.equal(await counted(to.namespace, 'inner6'), 3);
  });

  it('a mark that the network sets reaches the pod, and one that nobody would heed is a drop', async () => {
    await run(['nft', 'add rule inet marks c udp dport 6783 ip dscp 0x2e ip ecn set ce'], {
      namespace: b.namespace,
    });
    assert.equal(await pings(to.v4, MARKABLE), 3);
    assert.equal(await pings(to.v6, MARKABLE), 3);
    assert.equal(await counted(to.namespace, 'marked'), 3);
    assert.equal(await counted(to.namespace, 'marked6'), 3);
    assert.equal(await pings(to.v4, UNMARKABLE), 0);
    const { counters } = (await b.ask('report')) as { readonly counters: Readonly<Record<string, number>> };
    assert.equal(counters['datapath.inCongestion'], 3);
  });
});
