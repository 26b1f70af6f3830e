import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IpamResult, StatusResult } from '../../control/control-protocol.ts';
import { until } from '../cluster/command.ts';
import type { KubeObject } from './harness/kubectl.ts';
import { Lab } from './harness/lab.ts';
import { ROOT } from './harness/paths.ts';
import { makeWeftImage } from './weft-image.ts';

/** Where the manifest puts everything. */
export const NAMESPACE = 'weft';
/** Longest that a rollout is waited for, in seconds. */
export const ROLLOUT_LIMIT_S = 120;
const DAEMON = 'app.kubernetes.io/name=weft';

/**
 * A shell script that carries out `action` for each process of a program of Weft, by its file, on the machine that it
 * runs on; `$p` is its folder of /proc.
 */
export function forProgram(file: string, action: string): string {
  return `for p in /proc/[0-9]*; do
  case $(readlink $p/exe) in */node) if grep -q ${file} $p/cmdline; then ${action}; fi ;; esac
done`;
}

/** The same for weftd. */
export function forWeftd(action: string): string {
  return forProgram('daemon/weftd.ts', action);
}

/** Kills the weftd of the machine that it runs on. */
export const KILL_WEFTD = forWeftd('kill -9 $(basename $p)');

/** The manifest as a user applies it; `env` are variables of the container `weft`. */
export function manifest(env: Readonly<Record<string, string>> = {}): string {
  const text = readFileSync(`${ROOT}/weave-daemonset.yaml`, 'utf8');
  const lines = Object.entries(env).map(
    ([name, value]) => `            - { name: ${name}, value: ${JSON.stringify(value)} }\n`,
  );
  return text.replace('          env:\n', `          env:\n${lines.join('')}`);
}

/** A lab whose nodes have the project's image, and on which Weft was applied. */
export class WeftLab {
  readonly lab: Lab;
  readonly #env: Readonly<Record<string, string>>;

  private constructor(lab: Lab, env: Readonly<Record<string, string>>) {
    this.lab = lab;
    this.#env = env;
  }

  /** Brings up a lab without any network; nothing of Weft is there but the image. */
  static async bare(
    options: { readonly nodes?: number; readonly env?: Readonly<Record<string, string>> } = {},
  ): Promise<WeftLab> {
    const { nodes = 3, env = {} } = options;
    const image = makeWeftImage();
    const lab = await Lab.up({ nodes });
    await lab.importImage(await image);
    return new WeftLab(lab, env);
  }

  /** The same, with Weft applied and all nodes Ready. */
  static async up(
    options: { readonly nodes?: number; readonly env?: Readonly<Record<string, string>> } = {},
  ): Promise<WeftLab> {
    const weft = await WeftLab.bare(options);
    await weft.apply();
    await weft.serves();
    return weft;
  }

  /** Applies the manifest. */
  async apply(): Promise<void> {
    await this.lab.apply(manifest(this.#env));
  }

  /** Waits until Weft has been replaced on all nodes. */
  async rolledOut(): Promise<void> {
    const argv = ['rollout', 'status', 'ds/weft', '-n', NAMESPACE, `--timeout=${ROLLOUT_LIMIT_S}s`];
    await this.lab.kubectl.run(argv, { timeoutMs: 1000 * (ROLLOUT_LIMIT_S + 10) });
  }

  /** Waits until all nodes are Ready, and DNS answers. */
  async serves(): Promise<void> {
    await this.lab.waitForNodes();
    await this.lab.kubectl.waitForPods('k8s-app=kube-dns', { namespace: 'kube-system', count: 2 });
  }

  /**
   * Makes the machine of the API server a member of the mesh, as a plain host with the cluster's secret: it forwards
   * requests to pods, and is no node here.
   */
  async joinControlPlane(): Promise<void> {
    const { machine } = this.lab.controlPlane;
    const secret = (await this.lab.kubectl.get('secret', 'weft-secret', NAMESPACE)) as unknown as {
      readonly data: { readonly secret: string };
    };
    const file = `${machine.folder}/etc/weft-secret`;
    writeFileSync(file, Buffer.from(secret.data.secret, 'base64'), { mode: 0o600 });
    const peers = this.lab.nodes.flatMap(({ addresses }) => ['--peer', addresses.v4]);
    await machine.start('weftd', [
      `${ROOT}/bin/weftd`,
      ...['--name', 'cp', '--secret-file', '/etc/weft-secret', '--ipalloc-init', 'observer', ...peers],
    ]);
    await until('the control plane to have its part of the range', async () => {
      const { stdout } = await machine.run([`${ROOT}/bin/weft`, 'status', '--json'], { mayFail: true });
      return stdout !== '' && (JSON.parse(stdout) as StatusResult).addresses.length === 2;
    });
  }

  /** One more node, with the image; Ready when Weft runs there. */
  async addNode(): Promise<string> {
    const node = await this.lab.addNode();
    await node.importImage(await makeWeftImage());
    return node.name;
  }

  /** The pods of weftd. */
  pods(): Promise<KubeObject[]> {
    return this.lab.kubectl.list('pods', NAMESPACE, DAEMON);
  }

  /** The pod of weftd on a node. */
  async podOn(node: string): Promise<KubeObject> {
    const pods = await this.pods();
    const pod = pods.find((each) => each.spec.nodeName === node && !('deletionTimestamp' in each.metadata));
    if (pod === undefined) throw new Error(`no pod of weft on ${node}`);
    return pod;
  }

  /** Runs `weft` in the pod on a node, as a user does; its JSON. */
  async weft<T>(node: string, ...args: string[]): Promise<T> {
    const { metadata } = await this.podOn(node);
    const argv = ['weft', ...args, '--json'];
    const { stdout } = await this.lab.kubectl.exec(metadata.name, argv, { inNamespace: NAMESPACE });
    return JSON.parse(stdout) as T;
  }

  /** What the weftd on a node wrote. */
  async log(node: string): Promise<string> {
    const { metadata } = await this.podOn(node);
    return (await this.lab.kubectl.run(['logs', '-n', NAMESPACE, metadata.name, '-c', 'weft'])).stdout;
  }

  /** The warnings of `weft status` on a node. */
  async warnings(node: string): Promise<readonly string[]> {
    return (await this.status(node)).warnings ?? [];
  }

  status(node: string): Promise<StatusResult> {
    return this.weft(node, 'status');
  }

  ipam(node: string): Promise<IpamResult> {
    return this.weft(node, 'ipam');
  }

  /** Waits until all nodes that are on see each other connected, and see the same owners of everything. */
  async settled(timeoutMs = 30_000): Promise<void> {
    const nodes = this.lab.nodes.filter(({ machine }) => machine.isOn).map(({ name }) => name);
    await until(
      'all nodes to agree',
      async () => {
        const owners = new Set<string>();
        for (const node of nodes) {
          const { peers } = await this.status(node);
          const connected = peers.filter(({ state }) => state === 'connected').map(({ name }) => name);
          const missing = nodes.filter((other) => other !== node && !connected.includes(other));
          if (missing.length > 0) throw new Error(`${node} is not connected with ${missing.join(', ')}`);
          owners.add(JSON.stringify((await this.ipam(node)).owners));
        }
        return owners.size === 1;
      },
      { timeoutMs, everyMs: 500 },
    );
  }

  /**
   * Holds what `weft ipam` says of a node against what is there: the addresses of its pods as the API has them, the
   * host's ends in its kernel with their routes. Waits a while for pods that are on their way out.
   */
  async assertIpamAgrees(node: string): Promise<void> {
    const machine = this.lab.node(node).machine;
    await until(
      `the allocations of ${node} to agree with its pods`,
      async () => {
        const { allocations } = await this.ipam(node);
        const pods = allocations.filter(({ containerId }) => containerId !== '(this node)');
        const links = JSON.parse(
          (await machine.run(['ip', '-j', 'link', 'show', 'type', 'veth'])).stdout,
        ) as {
          readonly ifalias?: string;
        }[];
        const attached = links.flatMap(({ ifalias }) => ifalias ?? []).map((alias) => alias.split('/')[0]);
        deepEqual(attached.sort(), pods.map(({ containerId }) => containerId).sort());
        const known = (await this.lab.kubectl.list('pods', '*')).filter(
          ({ spec, status }) => spec.nodeName === node && !spec.hostNetwork && status.podIPs !== undefined,
        );
        const given = pods.flatMap(({ addresses }) => addresses);
        const seen = known.flatMap(({ status }) => status.podIPs.map((each: { ip: string }) => each.ip));
        deepEqual(seen.sort(), [...given].sort());
        equal(new Set(given).size, given.length);
        return true;
      },
      { timeoutMs: 60_000, everyMs: 500 },
    );
  }
}
