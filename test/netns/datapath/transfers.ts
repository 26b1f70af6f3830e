import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Cluster, REPOSITORY } from '../../cluster/cluster.ts';
import type { ClusterPod } from '../../cluster/cluster-pod.ts';
import { endProcess, inNamespace, run, until } from '../../cluster/command.ts';

const TRANSFER = `${REPOSITORY}/test/netns/inside/checked-transfer.ts`;
const BAD_CABLE = `${REPOSITORY}/test/netns/datapath/inside/bad-cable.c`;

export type DatapathName = 'fast' | 'sleeve';

/** What a bad cable did to datagrams, or is to do to shares of 10,000 of them. */
interface Fates {
  readonly lost: number;
  readonly twice: number;
  readonly late: number;
}

/** Two nodes with a pod each, and transfers between the pods whose content is checked. */
export class Transfers {
  readonly cluster: Cluster;
  readonly #processes: ChildProcess[] = [];
  #cable: { readonly child: ChildProcess; text(): string } | undefined;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  static async create(mtu = 1500): Promise<Transfers> {
    return new Transfers(await Cluster.create({ mtu, prefix: `tr${process.pid % 10_000}` }));
  }

  /** A pod on each of two nodes that run these datapaths. `program`: to run in place of `bin/weftd`. */
  async pods(
    names: readonly [DatapathName, DatapathName],
    program?: string,
  ): Promise<readonly [ClusterPod, ClusterPod]> {
    const { cluster } = this;
    for (const [i, name] of names.entries()) {
      const seed = cluster.nodes[0];
      const how = seed ? ['--peer', seed.host.v4] : ['--ipalloc-init', 'seed'];
      const node = await cluster.addNode(`n${i + 1}`, {
        args: [...how, '--datapath', name],
        ...(program === undefined ? {} : { program }),
      });
      await node.start();
      await node.ready(30_000);
    }
    const made: ClusterPod[] = [];
    for (const [i, node] of cluster.nodes.entries()) made.push(await node.attachPod(`pod${i + 1}`));
    const [a, b] = made as [ClusterPod, ClusterPod];
    await until('a pod to reach the other', () => a.ping(b.v4), { timeoutMs: 30_000 });
    return [a, b];
  }

  /** Takes both nodes off the bridge and joins them by a cable that treats these shares of 10,000 datagrams badly. */
  async joinBadly(fates: Fates, seed = 1): Promise<void> {
    const { namespace } = this.cluster.underlay;
    const program = join(this.cluster.folder, 'bad-cable');
    await run(['gcc', '-O2', '-o', program, BAD_CABLE]);
    const ports = this.cluster.nodes.map(({ host }) => host.port);
    for (const { host } of this.cluster.nodes) {
      await run(['ip', 'link', 'set', host.port, 'nomaster'], { namespace });
      // Runs of datagrams go over a veth in one piece; here each is to meet its own fate. And a socket of packets gets them
      // with their checksums still to be made.
      await run(['ip', 'link', 'set', 'eth0', 'gso_max_segs', '1'], { namespace: host.namespace });
      await run(['ethtool', '-K', 'eth0', 'tx', 'off', 'tso', 'off', 'gso', 'off'], {
        namespace: host.namespace,
      });
    }
    const shares = [fates.lost, fates.twice, fates.late].map(String);
    const cable = this.#start(namespace, [program, ...ports, ...shares, String(seed)]);
    await until('the cable to carry', () => cable.text().includes('carrying'));
    this.#cable = cable;
  }

  /** Ends the bad cable. What it did. */
  async endCable(): Promise<Fates> {
    const { child, text } = this.#cable!;
    await endProcess(child);
    return JSON.parse(text().split('\n')[1]!) as Fates;
  }

  /** Takes in transfers at an address of a pod. */
  async serve(pod: ClusterPod, address: string): Promise<void> {
    const server = this.#start(pod.namespace, [`${REPOSITORY}/bin/weft-node`, TRANSFER, 'serve', address]);
    await until('the server to listen', () => server.text().includes('listening'));
  }

  /** Sends that many megabytes, or datagrams. What `checked-transfer.ts` says of it. */
  async send(
    from: ClusterPod,
    how: 'tcp' | 'udp',
    to: string,
    amount: number,
    timeoutMs = 150_000,
  ): Promise<Record<string, unknown>> {
    const argv = [`${REPOSITORY}/bin/weft-node`, TRANSFER, how, to, String(amount)];
    return JSON.parse((await from.run(argv, { timeoutMs })).stdout) as Record<string, unknown>;
  }

  async end(): Promise<void> {
    for (const child of this.#processes.splice(0)) await endProcess(child, 'SIGTERM', 500);
    await this.cluster.destroy();
  }

  #start(namespace: string, argv: readonly string[]): { readonly child: ChildProcess; text(): string } {
    const [program, ...rest] = inNamespace(namespace, argv);
    const child = spawn(program!, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#processes.push(child);
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    return { child, text: () => said };
  }
}
