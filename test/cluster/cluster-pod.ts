import type { ClusterNode } from './cluster-node.ts';
import { type CommandOptions, type CommandResult, run } from './command.ts';

const REPOSITORY = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
export const PLUGIN = `${REPOSITORY}/cni/shim/build/weft-net`;

/** What a CNI 1.0 or 1.1 ADD answers, as far as it is looked at here. */
interface AddResult {
  readonly ips: readonly { readonly address: string }[];
}

/** A pod: a network namespace attached to its node by the CNI plugin, as a container runtime would. */
export class ClusterPod {
  readonly node: ClusterNode;
  readonly name: string;
  readonly namespace: string;
  readonly containerId: string;
  #made = false;
  #addresses: readonly string[] = [];

  constructor(node: ClusterNode, name: string) {
    this.node = node;
    this.name = name;
    this.namespace = `${node.cluster.prefix}-${name}`;
    this.containerId = `${node.cluster.prefix}-${name}`;
  }

  get v4(): string {
    return this.#addresses.find((address) => !address.includes(':')) ?? '';
  }

  get v6(): string {
    return this.#addresses.find((address) => address.includes(':')) ?? '';
  }

  /** Makes the namespace alone. */
  async create(): Promise<void> {
    await run(['ip', 'netns', 'add', this.namespace]);
    this.#made = true;
    await run(['ip', 'link', 'set', 'lo', 'up'], { namespace: this.namespace });
  }

  async attach(): Promise<void> {
    if (!this.#made) await this.create();
    const answer = await this.cni('ADD');
    const result = JSON.parse(answer.stdout) as AddResult;
    this.#addresses = result.ips.map((ip) => ip.address.replace(/\/.*/, ''));
  }

  /** Calls the plugin on the pod's node. */
  cni(
    command: 'ADD' | 'DEL' | 'CHECK',
    options: { readonly mayFail?: boolean } = {},
  ): Promise<CommandResult> {
    const config = { cniVersion: '1.0.0', name: 'weft', type: 'weft-net', runDir: this.node.runDir };
    return run([PLUGIN], {
      namespace: this.node.namespace,
      input: JSON.stringify(config),
      env: {
        PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
        CNI_COMMAND: command,
        CNI_CONTAINERID: this.containerId,
        CNI_NETNS: `/run/netns/${this.namespace}`,
        CNI_IFNAME: 'eth0',
        CNI_PATH: '/opt/cni/bin',
      },
      ...options,
    });
  }

  /** Runs a command in the pod. */
  run(argv: readonly string[], options: Omit<CommandOptions, 'namespace'> = {}): Promise<CommandResult> {
    return run(argv, { ...options, namespace: this.namespace });
  }

  /** Milliseconds of one ping of 1 packet, or undefined where no answer came within `timeoutS` seconds. */
  async ping(address: string, timeoutS = 2): Promise<number | undefined> {
    const argv = ['ping', '-n', '-c', '1', '-W', String(timeoutS), address];
    const { status, stdout } = await this.run(argv, { mayFail: true });
    const time = /time=([\d.]+)/.exec(stdout);
    return status === 0 && time ? Number(time[1]) : undefined;
  }

  async destroy(): Promise<void> {
    if (!this.#made) return;
    await this.cni('DEL', { mayFail: true });
    await run(['ip', 'netns', 'delete', this.namespace], { mayFail: true });
    this.#made = false;
  }
}
