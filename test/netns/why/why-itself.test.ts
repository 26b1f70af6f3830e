import { equal, match } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import type { WhyResult } from '../../../why/why.io.ts';
import { Cluster } from '../../cluster/cluster.ts';
import type { ClusterNode } from '../../cluster/cluster-node.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { endProcess, inNamespace, until } from '../../cluster/command.ts';

const WEFT = new URL('../../../bin/weft', import.meta.url).pathname;
const SERVICE = '10.96.0.30';

/** A pod, and a Service whose only endpoint it is: what it asks there comes back to it, by way of its node. */
describe('weft why of a pod that asks itself', function () {
  this.timeout(90_000);
  let cluster: Cluster;
  let node: ClusterNode;
  let pod: ClusterPod;
  let server: ChildProcess;

  before(async () => {
    cluster = await Cluster.create({ prefix: `wi${process.pid % 10_000}` });
    [node] = (await cluster.startNodes(1)) as [ClusterNode];
    await node.ready();
    pod = await node.attachPod('p');
    const argv = ['socat', 'TCP4-LISTEN:8080,fork,reuseaddr', 'PIPE'];
    const [program, ...rest] = inNamespace(pod.namespace, argv);
    server = spawn(program!, rest, { stdio: 'ignore' });
    await until('the server', async () => (await pod.run(['ss', '-Htln'])).stdout.includes(':8080 '));
    // As kube-proxy does it: who comes back to itself is told that its node asks.
    const rules = `
table ip other-nat {
  chain in { type nat hook prerouting priority -100; ip daddr ${SERVICE} tcp dport 80 dnat to ${pod.v4}:8080; }
  chain out { type nat hook postrouting priority 100; ip saddr ${pod.v4} ip daddr ${pod.v4} masquerade; }
}
`.replaceAll('; }', '\n }');
    await node.run(['nft', '-f', '-'], { input: rules });
  });
  after(async () => {
    if (server !== undefined) await endProcess(server);
    await cluster?.destroy();
  });

  const weft = (...args: string[]) => node.run([WEFT, '--run-dir', node.runDir, ...args], { mayFail: true });

  it('says that it can, by a Service that becomes the pod itself', async () => {
    const argv = ['socat', '-t', '2', '-', `TCP4:${SERVICE}:80`];
    equal((await pod.run(argv, { input: 'hello' })).stdout, 'hello');
    const { stdout, stderr } = await weft('--json', 'why', pod.v4, SERVICE, '80');
    const { verdict, findings } = JSON.parse(stdout || stderr) as WhyResult;
    equal(verdict.talk, true, JSON.stringify({ verdict, findings }));
    match(
      findings.find(({ check }) => check === 'service')!.seen,
      new RegExp(`is a Service; this time its endpoint is the pod itself, ${pod.v4} port 8080$`),
    );
  });

  it('says of its own address that nobody else sees that', async () => {
    const { status, stderr } = await weft('why', pod.v4, pod.v4, '8080');
    equal(status, 1);
    match(stderr, /what a pod sends to its own address stays inside it/);
  });
});
