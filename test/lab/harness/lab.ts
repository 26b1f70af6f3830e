import { readFileSync, rmSync } from 'node:fs';
import { type CommandOptions, type CommandResult, until } from '../../cluster/command.ts';
import { CONTROL_PLANE, FIRST_NODE, OUTSIDE } from './addresses.ts';
import { changeAuthority, createCertificates, introduceAuthority } from './certificates.ts';
import { ControlPlane } from './control-plane.ts';
import { LAB_IMAGES, makeImages } from './images.ts';
import { createTokens, writeKubeconfig } from './kubeconfig.ts';
import { Kubectl } from './kubectl.ts';
import { type Cni, LabNode } from './lab-node.ts';
import { createState, LabError, type LabState, readState, saveState } from './lab-state.ts';
import { Machine } from './machine.ts';
import { makeOutside, plugIn, routeToPods } from './network.ts';
import { ADMIN_CONFIG, LOG_FOLDER, ROOT } from './paths.ts';
import { removeCgroups, takeDown } from './take-down.ts';

export interface LabOptions {
  /** How many nodes, 1–100. Default 3. */
  readonly nodes?: number;
  /** What attaches pods. Default `none`: the nodes are not Ready until somebody brings a network. */
  readonly cni?: Cni;
  /** Called with each thing done. */
  readonly say?: (text: string) => void;
}

/**
 * A real Kubernetes on this machine: control plane (`cp`), nodes (`n1` …) and what is beyond them (`outside`), each
 * a {@link Machine}. One at a time for a checkout. It outlives the process that brought it up, until {@link down}.
 */
export class Lab {
  readonly kubectl: Kubectl;
  readonly controlPlane: ControlPlane;
  /** Holds the switch (`br0`, on which everything between the nodes is seen) and stands for the internet. */
  readonly outside: Machine;
  readonly #state: LabState;
  readonly #nodeByName = new Map<string, LabNode>();

  private constructor(state: LabState) {
    this.#state = state;
    this.outside = this.#machine('outside', OUTSIDE);
    const machine = this.#machine('cp', CONTROL_PLANE);
    this.kubectl = new Kubectl(machine);
    this.controlPlane = new ControlPlane(machine, this.kubectl);
    for (const { name } of state.machines.filter(({ number }) => number >= FIRST_NODE && number < OUTSIDE)) {
      this.#nodeByName.set(name, this.#node(name));
    }
  }

  /** Brings a lab up. On failure nothing of it stays but the logs. Rejects where one is up. */
  static async up(options: LabOptions = {}): Promise<Lab> {
    const { nodes = 3, cni = 'none', say = () => {} } = options;
    const state = createState(cni);
    try {
      rmSync(LOG_FOLDER, { recursive: true, force: true });
      const lab = new Lab(state);
      await lab.#start(nodes, say);
      delete state.owner;
      saveState(state);
      return lab;
    } catch (error) {
      await takeDown();
      throw error;
    }
  }

  /** The lab that is up. */
  static attach(): Lab {
    const state = readState();
    if (state === undefined) throw new LabError('no lab is up (npm run lab:up)');
    return new Lab(state);
  }

  /** Takes it down: everything goes but the logs. */
  async down(): Promise<void> {
    await takeDown();
  }

  get nodes(): LabNode[] {
    return [...this.#nodeByName.values()];
  }

  /** `cp`, `outside` or a node's. */
  machine(name: string): Machine {
    const known = [this.controlPlane.machine, this.outside, ...this.nodes.map((node) => node.machine)];
    const machine = known.find((each) => each.name === name);
    if (machine === undefined) {
      throw new LabError(`no machine ${name}; there are ${known.map((each) => each.name).join(', ')}`);
    }
    return machine;
  }

  node(name: string): LabNode {
    const node = this.#nodeByName.get(name);
    if (node === undefined)
      throw new LabError(`no node ${name}; there are ${[...this.#nodeByName.keys()].join(', ')}`);
    return node;
  }

  /** Applies manifests: YAML text, or objects. */
  apply(manifest: string | object | readonly object[]): Promise<void> {
    return this.kubectl.apply(manifest);
  }

  /** Runs a command in a pod. */
  exec(
    pod: string,
    argv: readonly string[],
    options: Omit<CommandOptions, 'namespace'> = {},
  ): Promise<CommandResult> {
    return this.kubectl.exec(pod, argv, options);
  }

  /** Starts one more node, under a name that no node had before. It is Ready when its network is. */
  async addNode(): Promise<LabNode> {
    const number = this.#state.nextNode++;
    const node = this.#node(`n${number}`, FIRST_NODE + number - 1);
    this.#nodeByName.set(node.name, node);
    saveState(this.#state);
    await node.powerOn();
    await node.importImage(LAB_IMAGES);
    await node.startKubelet();
    await node.startKubeProxy();
    await this.#routePods();
    return node;
  }

  /** Takes a node away for good: out of the API, powered off, its disk erased. */
  async removeNode(name: string): Promise<void> {
    const node = this.node(name);
    await this.kubectl.run(['delete', 'node', name, '--ignore-not-found']);
    await this.powerOff(name);
    rmSync(node.machine.folder, { recursive: true, force: true });
    this.#nodeByName.delete(name);
    this.#state.machines = this.#state.machines.filter((machine) => machine.name !== name);
    saveState(this.#state);
  }

  /** Pulls a node's plug: processes, pods, interfaces and memory are gone at once; its disk stays. */
  async powerOff(name: string): Promise<void> {
    const { machine } = this.node(name);
    await machine.powerOff();
    await removeCgroups(machine.cgroup);
  }

  /** Boots a node that was powered off, with a new boot id. */
  async powerOn(name: string): Promise<void> {
    const node = this.node(name);
    await node.powerOn();
    await this.#routePods();
    await node.startKubelet();
    await node.startKubeProxy();
  }

  /**
   * Rotates the authority that signs for the API server, as Kubernetes documents it: all trust the old one and a new one,
   * and once `trusted` says that pods do too, the server gets a certificate of the new one.
   */
  async rotateAuthority(trusted: () => Promise<void>): Promise<void> {
    await introduceAuthority();
    writeKubeconfig(ADMIN_CONFIG, 'admin');
    await this.controlPlane.restartControllers();
    for (const node of this.nodes) await node.trustAnew();
    await trusted();
    await changeAuthority();
    await this.stopApiServer();
    await this.startApiServer();
  }

  startApiServer(): Promise<void> {
    return this.controlPlane.startApiServer();
  }

  /** Ends the API server, as an outage would. */
  stopApiServer(): Promise<void> {
    return this.controlPlane.stopApiServer();
  }

  /** Imports an archive of images, a file in the checkout, on every node that is on. */
  async importImage(path: string): Promise<void> {
    await Promise.all(this.nodes.filter((node) => node.machine.isOn).map((node) => node.importImage(path)));
  }

  /** Waits until these nodes, or all, are Ready. */
  waitForNodes(
    names: readonly string[] = this.nodes.map((node) => node.name),
    timeoutMs = 60_000,
  ): Promise<void> {
    return this.kubectl.waitForNodes(names, { timeoutMs });
  }

  async #start(count: number, say: (text: string) => void): Promise<void> {
    const images = makeImages().then(() => say('images are made'));
    await Promise.all([createCertificates(), this.outside.powerOn(), this.controlPlane.machine.powerOn()]);
    createTokens();
    writeKubeconfig(ADMIN_CONFIG, 'admin');
    await makeOutside(this.outside);
    await plugIn(this.controlPlane.machine, this.outside);
    await Promise.all([images, this.controlPlane.start()]);
    say('the control plane answers');
    await Promise.all(Array.from({ length: count }, () => this.addNode()));
    const names = this.nodes.map((node) => node.name);
    await this.apply(readFileSync(`${ROOT}/test/lab/harness/coredns.yaml`, 'utf8'));
    if (this.#state.cni === 'none') {
      const known = async (): Promise<boolean> => (await this.kubectl.list('nodes')).length === count;
      await until('all nodes to be known', known, { timeoutMs: 60_000, everyMs: 250 });
      say(`${names.join(', ')} are known, and have no network yet`);
      return;
    }
    await this.waitForNodes(names);
    say(`${names.join(', ')} are Ready`);
    await this.kubectl.waitForPods('k8s-app=kube-dns', { namespace: 'kube-system', count: 2 });
    say('DNS answers');
  }

  #node(name: string, number?: number): LabNode {
    return new LabNode(this.#machine(name, number), this.outside, this.#state.cni);
  }

  /** The machine of that name in the state, which gets it where it is new. */
  #machine(name: string, number?: number): Machine {
    const { machines } = this.#state;
    let state = machines.find((each) => each.name === name);
    if (state === undefined) {
      if (number === undefined) throw new Error(`${name} has no number`);
      state = { name, number, daemonByName: {} };
      machines.push(state);
    }
    return new Machine(state, () => saveState(this.#state));
  }

  /** For `--cni bridge`: every machine that may talk to pods knows the way to those of each node. */
  async #routePods(): Promise<void> {
    if (this.#state.cni !== 'bridge') return;
    const nodes = this.nodes.filter((node) => node.machine.isOn).map((node) => node.machine);
    for (const machine of [...nodes, this.controlPlane.machine]) {
      for (const node of nodes) if (node !== machine) await routeToPods(machine, node.state.number);
    }
  }
}
