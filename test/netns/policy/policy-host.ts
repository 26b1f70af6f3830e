import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hostLinkName } from '../../../cni/host-link-name.ts';
import { askDaemon } from '../../../control/control-client.io.ts';
import type { StatusResult } from '../../../control/control-protocol.ts';
import { decidedIn } from '../../../linux/policy-gate.ts';
import { encodeGoverned } from '../../../npc/gate/governed-file.ts';
import { RealDaemon } from '../cni-real-daemon.ts';
import { type PluginOutcome, runPlugin } from '../cni-runner.ts';
import { eventually, Namespace } from '../namespaces.ts';

const CLIENT = fileURLToPath(new URL('../inside/policy-client.ts', import.meta.url));

/** How {@link PolicyHost.npc} behaves; see inside/policy-client.ts. */
type NpcMode = 'decide' | 'hold' | 'unknown' | 'incomplete';

/** A pod of a test. */
export interface TestPod {
  readonly namespace: Namespace;
  readonly containerId: string;
  /** Its host end. */
  readonly link: string;
  readonly added: PluginOutcome;
  /** IPv4, then IPv6. */
  readonly addresses: readonly string[];
}

/** A node with a weftd that keeps a gate, pods, and a program in the place of weft-npc. */
export class PolicyHost {
  readonly node: Namespace;
  readonly daemon: RealDaemon;
  readonly folder: string;
  readonly #pods = new Set<Namespace>();
  #npc: ChildProcess | undefined;
  #npcLines: string[] = [];
  #count = 0;

  private constructor(node: Namespace, folder: string) {
    this.node = node;
    this.folder = folder;
    this.daemon = new RealDaemon(node, folder);
  }

  static async create(): Promise<PolicyHost> {
    const folder = mkdtempSync(join(tmpdir(), 'weft-gate-'));
    return new PolicyHost(await Namespace.create('pg'), folder);
  }

  get runDir(): string {
    return this.daemon.runDir;
  }

  /** Starts weftd with a gate. */
  async start(
    flags: readonly string[] = ['--policy'],
    env: Readonly<Record<string, string>> = {},
    range?: string,
  ): Promise<void> {
    const more = { env, ...(range === undefined ? {} : { range }) };
    await this.daemon.start({ flags: [...flags, '--npc-state-dir', this.folder], ...more });
  }

  /** What weft-npc keeps on disk: these namespaces have policies. */
  govern(...namespaces: string[]): void {
    writeFileSync(
      join(this.folder, 'governed.json'),
      encodeGoverned({ all: false, namespaces: new Set(namespaces) }),
    );
  }

  ungovern(): void {
    rmSync(join(this.folder, 'governed.json'), { force: true });
  }

  /** Starts a program in the place of weft-npc, and waits until weftd has answered it. */
  async npc(mode: NpcMode): Promise<void> {
    this.#npcLines = [];
    const child = this.node.startProgram(CLIENT, [this.runDir, mode]);
    this.#npc = child;
    let text = '';
    child.stdout!.on('data', (data: Buffer) => {
      text += data.toString();
      const lines = text.split('\n');
      text = lines.pop()!;
      this.#npcLines.push(...lines);
    });
    await eventually('weft-npc to be answered', () => this.#npcLines.length > 0);
    const expected = mode === 'incomplete' ? 'incomplete' : 'serving';
    await eventually('weft-npc to be connected', async () => (await this.status()).policy?.npc === expected);
  }

  /** The last answer that it had. */
  npcAnswer(): {
    readonly attachments: Record<string, unknown>[];
    readonly peers: { name: string; addresses: string[] }[];
  } {
    return JSON.parse(this.#npcLines.at(-1)!) as ReturnType<PolicyHost['npcAnswer']>;
  }

  async stopNpc(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (signal === 'SIGSTOP') this.#npc!.kill('SIGSTOP');
    else {
      if (this.#npc !== undefined) await this.node.stop(this.#npc, signal);
      this.#npc = undefined;
    }
  }

  /** A namespace for a pod that does not hang on the node yet. */
  async podNamespace(): Promise<Namespace> {
    const namespace = await Namespace.create('pg');
    this.#pods.add(namespace);
    return namespace;
  }

  /** Attaches a pod of `owner` (`namespace/name`, or '' for a container that is no pod), by the real plugin. */
  async add(
    owner: string,
    options: { namespace?: Namespace; args?: string; containerId?: string } = {},
  ): Promise<TestPod> {
    const namespace = options.namespace ?? (await this.podNamespace());
    const containerId = options.containerId ?? `c${this.#count++}-${namespace.name}`;
    const [podNamespace, name] = owner.split('/');
    const names = `K8S_POD_NAMESPACE=${podNamespace};K8S_POD_NAME=${name};K8S_POD_UID=u-${name}`;
    const args = options.args ?? (owner === '' ? 'IgnoreUnknown=1' : `IgnoreUnknown=1;${names}`);
    const added = await this.#call('ADD', namespace, containerId, args);
    const addresses = (added.json?.ips ?? []).map(({ address }) => address.split('/')[0]!);
    return { namespace, containerId, link: hostLinkName({ containerId, ifname: 'eth0' }), added, addresses };
  }

  /** As {@link add}; the call must succeed. */
  async attach(...args: Parameters<PolicyHost['add']>): Promise<TestPod> {
    const pod = await this.add(...args);
    assert.equal(pod.added.code, 0, pod.added.stdout);
    return pod;
  }

  async detach({ namespace, containerId }: Pick<TestPod, 'namespace' | 'containerId'>): Promise<void> {
    const { code, stdout } = await this.#call('DEL', namespace, containerId, '');
    assert.equal(code, 0, stdout);
  }

  /** The links in the set; undefined where there is no gate. */
  async decided(): Promise<Set<string> | undefined> {
    const { code, stdout } = await this.node.attempt('nft', ['list', 'set', 'inet', 'weft-npc', 'decided']);
    return code === 0 ? decidedIn(stdout) : undefined;
  }

  /** Whether the rules of the gate are there. */
  async isLaid(): Promise<boolean> {
    const chains = await this.node.attempt('nft', ['list', 'table', 'inet', 'weft-npc']);
    return (chains.stdout.match(/@decided/g)?.length ?? 0) === 4;
  }

  async nft(...args: readonly string[]): Promise<string> {
    return this.node.run('nft', ...args);
  }

  async status(): Promise<StatusResult> {
    return askDaemon<'status'>(this.runDir, { op: 'status' });
  }

  async counters(): Promise<Readonly<Record<string, number>>> {
    return (await askDaemon<'report'>(this.runDir, { op: 'report' })).counters;
  }

  /** The codes of what `weft status` warns of. */
  async problems(): Promise<string[]> {
    return ((await this.status()).problems ?? []).map(({ code }) => code);
  }

  /** The files that say who hangs on the node, by link. */
  files(): Record<string, { pod: unknown; [more: string]: unknown }> {
    const folder = join(this.runDir, 'pods');
    const read = (name: string): unknown[] => {
      try {
        return [JSON.parse(readFileSync(join(folder, name), 'utf8'))];
      } catch {
        return [];
      }
    };
    return Object.fromEntries(
      readdirSync(folder).flatMap((name) => read(name).map((file) => [name.replace(/\.json$/, ''), file])),
    ) as ReturnType<PolicyHost['files']>;
  }

  /** Whether a ping of `from` to an address is answered. */
  async reaches(from: Namespace, address: string): Promise<boolean> {
    return (await from.attempt('ping', ['-c', '1', '-W', '1', address])).code === 0;
  }

  /** Whether both families get there. */
  async reachesPod(from: Namespace, to: TestPod): Promise<boolean> {
    const answers = await Promise.all(to.addresses.map((address) => this.reaches(from, address)));
    assert.equal(new Set(answers).size, 1, `both families of ${to.link} alike: ${answers}`);
    return answers[0]!;
  }

  async destroy(): Promise<void> {
    if (this.#npc !== undefined) await this.node.stop(this.#npc, 'SIGKILL');
    await this.daemon.stop('SIGKILL');
    await Promise.all([this.node, ...this.#pods].map((namespace) => namespace.delete()));
    rmSync(this.folder, { recursive: true, force: true });
  }

  #call(command: string, namespace: Namespace, containerId: string, args: string): Promise<PluginOutcome> {
    return runPlugin({
      command,
      node: this.node.path,
      containerId,
      netns: namespace.path,
      ifname: 'eth0',
      config: { cniVersion: '1.1.0', name: 'weft', type: 'weft-net', runDir: this.runDir },
      env: { CNI_ARGS: args },
    });
  }
}
