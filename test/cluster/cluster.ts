import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterNode, type NodeOptions } from './cluster-node.ts';
import { run } from './command.ts';
import { Underlay } from './underlay.ts';

export const REPOSITORY = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');

export interface ClusterOptions {
  /** Start of all names of namespaces; at most 8 characters. Default: `weft` and a number of this process. */
  readonly prefix?: string;
  /** MTU of the underlay. */
  readonly mtu?: number;
}

/**
 * A cluster of real `weftd`s, each in a network namespace, on one underlay; for the demo, the tests and the
 * benchmarks. {@link destroy} removes all that was made, by name and process id; call it whatever happened.
 */
export class Cluster {
  readonly prefix: string;
  readonly underlay: Underlay;
  /** Folder for the state, the run folders and logs of all nodes. */
  readonly folder: string;
  readonly secretFile: string;
  readonly nodes: ClusterNode[] = [];

  private constructor(prefix: string, underlay: Underlay, folder: string) {
    this.prefix = prefix;
    this.underlay = underlay;
    this.folder = folder;
    this.secretFile = join(folder, 'secret');
  }

  static async create(options: ClusterOptions = {}): Promise<Cluster> {
    const prefix = options.prefix ?? `weft${process.pid % 10_000}`;
    const folder = await mkdtemp(join(tmpdir(), `${prefix}-`));
    const underlay = await Underlay.create(prefix, options.mtu === undefined ? {} : { mtu: options.mtu });
    const cluster = new Cluster(prefix, underlay, folder);
    try {
      await run([`${REPOSITORY}/bin/weft`, 'secret', 'new', '--file', cluster.secretFile]);
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
    return cluster;
  }

  /** Adds a host with its own folders; its weftd is not started yet. */
  async addNode(name: string, options: NodeOptions = {}): Promise<ClusterNode> {
    const host = await this.underlay.addHost(name, 10 + this.nodes.length);
    const node = new ClusterNode(this, host, options);
    this.nodes.push(node);
    await node.prepare();
    return node;
  }

  /** Nodes `n1` … started one after another: the first starts the ring, the others know its address. */
  async startNodes(count: number, options: NodeOptions = {}): Promise<ClusterNode[]> {
    for (let i = 1; i <= count; i++) {
      const seed = this.nodes[0];
      const how = seed ? ['--peer', seed.host.v4] : ['--ipalloc-init', 'seed'];
      const node = await this.addNode(`n${i}`, { ...options, args: [...how, ...(options.args ?? [])] });
      await node.start();
    }
    return this.nodes;
  }

  /** Another secret, for a node that does not belong. */
  async writeSecret(name: string, text: string): Promise<string> {
    const path = join(this.folder, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  }

  async destroy(): Promise<void> {
    for (const node of this.nodes) await node.destroy();
    await this.underlay.destroy();
    await rm(this.folder, { recursive: true, force: true });
  }
}
