import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { CommandOptions, CommandResult } from '../../cluster/command.ts';
import { underlay } from './addresses.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import type { Machine } from './machine.ts';
import { masqueradePods, plugIn } from './network.ts';
import {
  bridgeConflist,
  CONTAINERD_CONFIG,
  KUBELET_CONFIG,
  kubeletFlags,
  STATIC_PODS,
} from './node-config.ts';
import { PKI } from './paths.ts';

/** What attaches pods: nothing yet, or the plain bridge that others are compared with. */
export type Cni = 'none' | 'bridge';

/** Of Debian's containernetworking-plugins, what every node has in /opt/cni/bin. */
const PLUGINS = ['bandwidth', 'bridge', 'host-local', 'loopback', 'portmap'];
const PLUGIN_FOLDER = '/usr/lib/cni';

/** A node: a machine with containerd, kubelet and kube-proxy. */
export class LabNode {
  readonly machine: Machine;
  readonly #outside: Machine;
  readonly #cni: Cni;

  constructor(machine: Machine, outside: Machine, cni: Cni) {
    this.machine = machine;
    this.#outside = outside;
    this.#cni = cni;
  }

  get name(): string {
    return this.machine.name;
  }

  /** Its addresses on the underlay. */
  get addresses(): { readonly v4: string; readonly v6: string } {
    return underlay(this.machine.state.number);
  }

  /** Runs a command on the node, in all its namespaces. */
  run(argv: readonly string[], options: Omit<CommandOptions, 'namespace'> = {}): Promise<CommandResult> {
    return this.machine.run(argv, options);
  }

  /** Starts the machine, plugs it in and starts containerd; {@link startKubelet} makes it a node. */
  async powerOn(): Promise<void> {
    await this.machine.powerOn();
    await plugIn(this.machine, this.#outside);
    this.#writeFiles();
    if (this.#cni === 'bridge') await masqueradePods(this.machine);
    await this.startContainerd();
  }

  /** Pulls the plug: all processes, pods and namespaces are gone at once; files stay, as on a disk. */
  async powerOff(): Promise<void> {
    await this.machine.powerOff();
  }

  /** Starts containerd and waits until it answers. */
  async startContainerd(): Promise<void> {
    await this.machine.start('containerd', ['containerd', '--config', '/etc/containerd/config.toml']);
    await this.machine.waitFor(
      'containerd',
      async () => (await this.run(['ctr', 'version'], { mayFail: true })).status === 0,
    );
  }

  /** Ends containerd; containers go on. */
  async stopContainerd(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.machine.stop('containerd', signal);
  }

  async startKubelet(): Promise<void> {
    const { name, number } = this.machine.state;
    await this.machine.start('kubelet', ['kubelet', ...kubeletFlags(name, number)]);
  }

  /** Ends kubelet; pods go on. */
  async stopKubelet(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.machine.stop('kubelet', signal);
  }

  /** Has the kubelet run a pod of its own, which needs no API. */
  startStaticPod(pod: { readonly metadata: { readonly name: string } }): void {
    this.#put(`${STATIC_PODS}/${pod.metadata.name}.json`, JSON.stringify(pod));
  }

  stopStaticPod(name: string): void {
    rmSync(`${this.machine.folder}${STATIC_PODS}/${name}.json`, { force: true });
  }

  /** Has the kubelet and kube-proxy trust whom the lab's `ca.crt` names now. */
  async trustAnew(): Promise<void> {
    this.#writeFiles();
    await this.stopKubelet();
    await this.stopKubeProxy();
    await this.startKubelet();
    await this.startKubeProxy();
  }

  /** `flags` come before those that the lab needs. */
  async startKubeProxy(flags: readonly string[] = []): Promise<void> {
    await this.machine.start('kube-proxy', [
      'kube-proxy',
      ...flags,
      ...['--proxy-mode=nftables', `--hostname-override=${this.name}`],
      '--kubeconfig=/etc/kubernetes/kube-proxy.conf',
      // The kernel's limits are those of the whole machine and cannot be set from here.
      ...['--conntrack-max-per-core=0', '--conntrack-min=0'],
      ...['--conntrack-tcp-timeout-established=0s', '--conntrack-tcp-timeout-close-wait=0s'],
    ]);
  }

  async stopKubeProxy(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.machine.stop('kube-proxy', signal);
  }

  /** Imports an archive with images (OCI or Docker); `path` lies in the checkout, which the node sees. */
  async importImage(path: string): Promise<void> {
    const argv = ['ctr', '-n', 'k8s.io', 'images', 'import', '--local', '--snapshotter', 'overlayfs', path];
    await this.run(argv, { timeoutMs: 120_000 });
  }

  /** Writes a file of the node whole: whoever watches the folder never sees half of it. */
  #put(path: string, text: string): void {
    const target = `${this.machine.folder}${path}`;
    mkdirSync(dirname(target), { recursive: true });
    const temporary = `${dirname(target)}/.new`;
    writeFileSync(temporary, text);
    renameSync(temporary, target);
  }

  /** The node's own files, as a set-up tool would lay them. Written again at each start; harmless. */
  #writeFiles(): void {
    const { folder, state } = this.machine;
    this.#put('/etc/resolv.conf', '# nothing outside answers\n');
    this.#put('/etc/containerd/config.toml', CONTAINERD_CONFIG);
    this.#put('/etc/kubernetes/kubelet.json', KUBELET_CONFIG);
    writeKubeconfig(`${folder}/etc/kubernetes/kubelet.conf`, `system:node:${this.name}`);
    writeKubeconfig(`${folder}/etc/kubernetes/kube-proxy.conf`, 'system:kube-proxy');
    copyFileSync(`${PKI}/ca.crt`, `${folder}/etc/kubernetes/ca.crt`);
    for (const plugin of PLUGINS) {
      const target = `${folder}/opt/cni/bin/${plugin}`;
      copyFileSync(`${PLUGIN_FOLDER}/${plugin}`, `${target}.new`);
      renameSync(`${target}.new`, target);
    }
    mkdirSync(`${folder}/etc/cni/net.d`, { recursive: true });
    mkdirSync(`${folder}${STATIC_PODS}`, { recursive: true });
    if (this.#cni === 'bridge') this.#put('/etc/cni/net.d/10-lab.conflist', bridgeConflist(state.number));
  }
}
