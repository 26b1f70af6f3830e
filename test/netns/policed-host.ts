import { join } from 'node:path';
import { until } from '../cluster/command.ts';
import { NpcHost, type NpcProcess } from './policy/npc-process.ts';
import { PolicyHost, type TestPod } from './policy/policy-host.ts';
import { RealApi } from './policy/real-api.ts';

const ADDRESS = '192.0.2.10';
const NODE = 'node';

/** A node with its weftd and gate, its weft-npc and a kube-apiserver: all of it real. */
export class PolicedHost {
  readonly host: PolicyHost;
  readonly api: RealApi;
  readonly npcHost: NpcHost;
  npc: NpcProcess;

  private constructor(host: PolicyHost, api: RealApi) {
    this.host = host;
    this.api = api;
    const at = { runDir: host.runDir, stateDir: host.folder, nodeName: NODE };
    this.npcHost = new NpcHost(host.node, at, api.kubeconfig);
    this.npc = this.npcHost.start();
  }

  /** Makes the namespaces, then `objects`, and waits until weft-npc serves. */
  static async create({
    namespaces,
    objects = [],
    authorization = 'AlwaysAllow',
  }: {
    readonly namespaces: readonly string[];
    readonly objects?: readonly object[];
    readonly authorization?: 'AlwaysAllow' | 'RBAC';
  }): Promise<PolicedHost> {
    const host = await PolicyHost.create();
    let api: RealApi | undefined;
    let policed: PolicedHost | undefined;
    try {
      await host.node.run('ip', 'link', 'add', 'eth0', 'type', 'bridge');
      await host.node.run('ip', 'address', 'add', `${ADDRESS}/24`, 'dev', 'eth0');
      await host.node.run('ip', 'link', 'set', 'eth0', 'up');
      api = await RealApi.start(host.node, join(host.folder, 'api'), ADDRESS, authorization);
      await api.apply(
        { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } },
        ...namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
      );
      if (objects.length > 0) await api.apply(...objects);
      await host.start();
      policed = new PolicedHost(host, api);
      await policed.npcHost.ready();
      await policed.serving();
      return policed;
    } catch (error) {
      await policed?.npc.stop();
      await api?.stop();
      await host.destroy();
      throw error;
    }
  }

  async destroy(): Promise<void> {
    await this.npc.stop();
    await this.api.stop();
    await this.host.destroy();
  }

  /** Starts weft-npc again, and waits until it knows everything. */
  async restartNpc(): Promise<void> {
    this.npc = this.npcHost.start();
    await this.npcHost.ready();
  }

  serving(): Promise<unknown> {
    return until(
      'weftd to count weft-npc as one that serves',
      async () => (await this.host.status()).policy?.npc === 'serving',
    );
  }

  /** Makes `namespace/name` in the API. Its UID there. */
  async createPod(pod: string): Promise<string> {
    const [namespace, name] = pod.split('/') as [string, string];
    const [made] = await this.api.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels: { app: name } },
      spec: { nodeName: NODE, containers: [{ name: 'c', image: 'x' }] },
    });
    return made!.metadata.uid;
  }

  /** Makes a pod in the API, and attaches it as a runtime does. */
  async attach(pod: string): Promise<TestPod> {
    return this.host.attach('', { args: argsOf(pod, await this.createPod(pod)) });
  }
}

/** What a runtime tells the plugin of a pod. */
export function argsOf(pod: string, uid: string): string {
  const [namespace, name] = pod.split('/');
  return `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_UID=${uid}`;
}
