import { equal, match, ok } from 'node:assert/strict';
import type { PingResult } from '../../cli/ping.ts';
import { Cluster } from '../cluster/cluster.ts';
import type { ClusterNode } from '../cluster/cluster-node.ts';
import type { CommandResult } from '../cluster/command.ts';

/** Runs `weft` of a node on its host, as an operator would. */
function weft(node: ClusterNode, ...args: string[]): Promise<CommandResult> {
  return node.run([`${import.meta.dirname}/../../bin/weft`, '--run-dir', node.runDir, ...args], {
    mayFail: true,
  });
}

describe('weft ping', function () {
  this.timeout(180_000);
  let cluster: Cluster;
  let near: ClusterNode;
  let far: ClusterNode;

  before(async () => {
    cluster = await Cluster.create();
    [near, far] = (await cluster.startNodes(2)) as [ClusterNode, ClusterNode];
    await near.connected(cluster.nodes);
    await near.ready();
    await far.ready();
    await far.attachPod('p');
  });
  after(() => cluster.destroy());

  it('tells the way, the round trip and the size to another node', async () => {
    const { status, stdout } = await weft(near, 'ping', 'n2', '-c', '3');
    equal(status, 0);
    match(
      stdout,
      /^[\d.]+ is on n2 \([0-9a-f]{12}\), direct to (?:[\d.]+|\[[0-9a-f:]+\]):6783\n1 {2}[\d.]+ ms\n/,
    );
    match(stdout, /3 sent, 3 answered, 0 % lost, round trip [\d. /]+ ms/);
    match(stdout, /packets of 1364 bytes get through/);
  });

  it('reaches a pod in both families', async () => {
    const { v4, v6 } = far.pods[0]!;

    for (const address of [v4, v6]) {
      const { status, stdout } = await weft(near, '--json', 'ping', address, '-c', '2');
      equal(status, 0, stdout);
      const result = JSON.parse(stdout) as PingResult;
      equal(result.answered, 2);
      equal(result.fullSize.outcome, 'answered');
      equal(result.place.peer?.name, 'n2');
    }
  });

  it('tells silence with exit code 1 and what to do', async () => {
    const pod = far.pods[0]!;
    await pod.run(['ip', 'link', 'set', 'eth0', 'down']);
    const { status, stdout, stderr } = await weft(near, 'ping', pod.v4, '-c', '1');
    equal(status, 1);
    match(stdout, /1 sent, 0 answered, 100 % lost/);
    match(stderr, /does not answer; run 'weft ping n2'/);
  });

  it('refuses what is no address of the overlay', async () => {
    for (const target of ['192.0.2.200', 'nobody']) {
      const { status, stderr } = await weft(near, 'ping', target);
      equal(status, 1);
      ok(stderr.includes(target), stderr);
    }
  });
});
