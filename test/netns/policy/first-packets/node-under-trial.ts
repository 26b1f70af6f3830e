import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../../cluster/command.ts';
import { connect, Namespace } from '../../namespaces.ts';
import { NpcHost, type NpcProcess } from '../npc-process.ts';
import { PolicyHost, type TestPod } from '../policy-host.ts';
import { RealApi } from '../real-api.ts';
import { type Kind, NAMESPACES, namespaceOf, POLICIES } from './cast.ts';

/** Who may be kept from running nft. */
export type Program = 'weft-npc' | 'weftd';

/** How many addresses there are. */
export interface Room {
  /** The IPv4 range has 2 to the power of this many; that of IPv6 has 256, the fewest that weftd takes. */
  readonly prefixBits: number;
  /** How many are attached one after the other: as many IPv6 addresses may be dealt out. */
  readonly pods: number;
}
const MOST_V6 = 254;

/** A pod's place in the API. */
export interface PodName {
  readonly kind: Kind;
  readonly name: string;
}

/**
 * A node with all of it real: weftd with its gate, the CNI plugin, weft-npc, nftables, and a kube-apiserver on a machine
 * of its own, from which the node can be cut off. Its pods have few addresses.
 */
export class NodeUnderTrial {
  readonly host: PolicyHost;
  readonly npcHost: NpcHost;
  /** Addresses that pods may get, of both families. */
  readonly addresses: readonly string[];
  npc: NpcProcess;
  readonly #api: RealApi;
  readonly #apiMachine: Namespace;
  readonly #opened: AsyncDisposableStack;

  private constructor(
    host: PolicyHost,
    parts: {
      readonly api: RealApi;
      readonly apiMachine: Namespace;
      readonly npcHost: NpcHost;
      readonly addresses: readonly string[];
      readonly opened: AsyncDisposableStack;
    },
  ) {
    this.host = host;
    this.#api = parts.api;
    this.#apiMachine = parts.apiMachine;
    this.#opened = parts.opened;
    this.npcHost = parts.npcHost;
    this.addresses = parts.addresses;
    this.npc = this.npcHost.start();
  }

  static async create({ prefixBits, pods }: Room): Promise<NodeUnderTrial> {
    const opened = new AsyncDisposableStack();
    try {
      const host = await PolicyHost.create();
      opened.defer(() => host.destroy());
      const apiMachine = await Namespace.create('pg');
      opened.defer(() => apiMachine.delete());
      await connect(
        { namespace: host.node, link: 'eth0', addresses: ['192.0.2.10/24'] },
        { namespace: apiMachine, link: 'eth0', addresses: ['192.0.2.20/24'] },
      );
      const api = await RealApi.start(apiMachine, join(host.folder, 'api'), '192.0.2.20');
      opened.defer(() => api.stop());
      await api.apply(
        { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node' } },
        ...NAMESPACES.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
      );
      await api.apply(...POLICIES);
      const env = { PATH: `${writeNft(host.folder, 'weftd')}:${process.env.PATH}` };
      const flags = ['--policy', '--ipalloc-range6', 'fd00:32::/120'];
      await host.start(flags, env, `10.32.0.0/${32 - prefixBits}`);
      const bin = writeNft(host.folder, 'weft-npc');
      const at = { runDir: host.runDir, stateDir: host.folder, nodeName: 'node', bin };
      const npcHost = new NpcHost(host.node, at, api.kubeconfig);
      const addresses = [
        ...Array.from({ length: 2 ** prefixBits - 2 }, (_, i) => `10.32.0.${i + 1}`),
        ...Array.from({ length: Math.min(pods, MOST_V6) }, (_, i) => `fd00:32::${(i + 1).toString(16)}`),
      ];
      const node = new NodeUnderTrial(host, { api, apiMachine, npcHost, addresses, opened });
      opened.defer(() => node.npc.stop('SIGKILL'));
      await node.serves();
      return node;
    } catch (error) {
      await opened.disposeAsync();
      throw error;
    }
  }

  /** Waits until weft-npc serves and weftd counts on it. */
  async serves(): Promise<void> {
    await until('weft-npc to be ready', async () => (await this.npcHost.readiness()) === 'ok', {
      timeoutMs: 90_000,
      everyMs: 100,
    });
    await until(
      'weftd to count weft-npc as one that serves',
      async () => (await this.host.status()).policy?.npc === 'serving',
      { timeoutMs: 60_000, everyMs: 100 },
    );
  }

  /** Makes pods in the API; what CNI_ARGS say of each, by name. */
  async create(pods: readonly PodName[]): Promise<Map<string, string>> {
    if (pods.length === 0) return new Map();
    const made = await this.#api.apply(
      ...pods.map(({ kind, name }) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: namespaceOf(kind), labels: { kind } },
        spec: { nodeName: 'node', containers: [{ name: 'c', image: 'x' }] },
      })),
    );
    return new Map(
      made.map(({ metadata: { name, namespace, uid } }) => [
        name,
        `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_UID=${uid}`,
      ]),
    );
  }

  /** What the kubelet tells of pods that run. */
  async tellAddresses(pods: readonly (PodName & Pick<TestPod, 'addresses'>)[]): Promise<void> {
    const list = pods.map(({ kind, name, addresses }) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: namespaceOf(kind) },
      status: { phase: 'Running', podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) },
    }));
    const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: list });
    await this.#api.kubectl(['apply', '--server-side', '--subresource=status', '-f', '-'], text);
  }

  /** Takes pods out of the API at once, as the kubelet does when all of them is gone. */
  async remove(pods: readonly PodName[]): Promise<void> {
    for (const namespace of NAMESPACES) {
      const names = pods.filter(({ kind }) => namespaceOf(kind) === namespace).map(({ name }) => name);
      if (names.length === 0) continue;
      await this.#api.kubectl(['delete', 'pod', '-n', namespace, '--force', '--grace-period=0', ...names]);
    }
  }

  /** Cuts the node off from the API: what goes there gets no answer, and nothing comes from there. */
  async cutOff(): Promise<void> {
    const chain = (hook: string, way: string): string =>
      `add chain inet cut ${hook} { type filter hook ${hook} priority 0; }; add rule inet cut ${hook} ${way} eth0 drop; `;
    const rules = chain('input', 'iifname') + chain('output', 'oifname');
    await this.#apiMachine.run('nft', `add table inet cut; ${rules}`);
  }

  async joinAgain(): Promise<void> {
    await this.#apiMachine.run('nft', 'delete table inet cut');
  }

  /** Keeps a program from running nft, which then fails at once. */
  breakNft(program: Program): void {
    writeFileSync(flag(this.host.folder, program), '');
  }

  mendNft(program: Program): void {
    rmSync(flag(this.host.folder, program), { force: true });
  }

  async destroy(): Promise<void> {
    await this.#opened.disposeAsync();
  }
}

function flag(folder: string, program: Program): string {
  return join(folder, `no-nft-of-${program}`);
}

/** An nft that fails where a file says so; answers the folder that it lies in. */
function writeNft(folder: string, program: Program): string {
  const bin = join(folder, `bin-of-${program}`);
  mkdirSync(bin);
  const real = ['/usr/sbin/nft', '/sbin/nft', '/usr/bin/nft'].find((path) => existsSync(path));
  if (real === undefined) throw new Error('there is no nft');
  const script = `#!/bin/sh\nif [ -e ${flag(folder, program)} ]; then exit 1; fi\nexec ${real} "$@"\n`;
  writeFileSync(join(bin, 'nft'), script);
  chmodSync(join(bin, 'nft'), 0o755);
  return bin;
}
