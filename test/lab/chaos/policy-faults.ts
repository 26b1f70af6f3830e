import { type RandomSource, randomBelow } from '../../../base/random.ts';
import type { PolicyStatusResult } from '../../../control/npc-request.ts';
import { until } from '../../cluster/command.ts';
import { forProgram, NAMESPACE, type WeftLab } from '../weft-lab.ts';
import type { PolicyTruth } from './policy-truth.ts';

/** Programs of Weft on each node, by the label of their pods, and the file that each is. */
const PROGRAMS = { 'weft-npc': 'npc/weft-npc.ts', weft: 'daemon/weftd.ts' } as const;
type Program = keyof typeof PROGRAMS;

const STOP_MS = 4_000;
/** A table that somebody flushes is whole again within a second. */
const WHOLE_AGAIN_MS = 1_000;
const OFF_MS = 20_000;
/** Of so many faults one is that a node is powered off, while no other is. */
const OFF_ONE_OF = 10;
/** A node is powered off only where there is time left for it to come back. */
const OFF_NEEDS_MS = 180_000;
const BACK_LIMIT_MS = 240_000;

/** Breaks what enforces policies, on one node at a time, and tells the truth what cannot be expected meanwhile. */
export class PolicyFaults {
  /** How often each kind of fault was made. */
  readonly counts: Record<string, number> = {};
  /** Faults, and when all worked again. */
  readonly spans: { readonly fault: string; readonly repaired: string }[] = [];
  /** What did not work again after a fault. */
  readonly failures: string[] = [];
  /** The fault that was made last, for messages. */
  last = 'no fault yet';
  readonly #weft: WeftLab;
  readonly #truth: PolicyTruth;
  readonly #random: RandomSource;
  readonly #off = new Set<string>();
  /** Repairs that are under way. */
  readonly #pending = new Set<Promise<void>>();

  constructor(weft: WeftLab, truth: PolicyTruth, random: RandomSource) {
    this.#weft = weft;
    this.#truth = truth;
    this.#random = random;
  }

  /** Waits until policies of both kinds are enforced on all nodes. */
  async begin(): Promise<void> {
    await Promise.all(
      this.#weft.lab.nodes.map(async ({ name }) => {
        await this.#enforces(name);
        await until(`ClusterNetworkPolicies to be followed on ${name}`, () => this.#followsAll(name), {
          timeoutMs: BACK_LIMIT_MS,
          everyMs: 1_000,
        });
      }),
    );
  }

  /** Waits until all that was broken works again. */
  async end(): Promise<void> {
    await Promise.all(this.#pending);
  }

  get nodesThatAreOn(): string[] {
    return this.#weft.lab.nodes.map(({ name }) => name).filter((name) => !this.#off.has(name));
  }

  /** Breaks something on a node where everything works, unless there is none. `leftMs` is how long the chaos goes on. */
  async make(leftMs: number): Promise<void> {
    const nodes = this.nodesThatAreOn.filter((node) => this.#truth.isUp(node));
    if (nodes.length === 0) return;
    const node = nodes[randomBelow(this.#random, nodes.length)]!;
    const kinds: readonly (readonly [string, () => Promise<void>])[] = [
      ['npc killed', () => this.#kill(node, 'weft-npc')],
      ['weftd killed', () => this.#kill(node, 'weft')],
      ['npc stopped', () => this.#stop(node)],
      ['npc deleted', () => this.#deletePod(node)],
      ['table flushed', () => this.#flush(node)],
      ['table flushed while npc is down', () => this.#flushWhileDown(node)],
    ];
    const off = this.#off.size === 0 && leftMs > OFF_NEEDS_MS && randomBelow(this.#random, OFF_ONE_OF) === 0;
    const [kind, fault] = off
      ? (['node powered off', () => this.#powerOff(node)] as const)
      : kinds[randomBelow(this.#random, kinds.length)]!;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    this.last = `${kind} on ${node} at ${new Date().toISOString()}`;
    console.log(this.last);
    const made = this.last;
    const repaired = this.#truth.down(node, Date.now());
    const work = fault()
      .then(() => this.#enforces(node))
      .then(
        () => {
          repaired(Date.now());
          this.spans.push({ fault: made, repaired: new Date().toISOString() });
        },
        (error: unknown) => this.failures.push(`${kind} on ${node}: ${String(error)}`),
      )
      .then(() => {
        this.#pending.delete(work);
      });
    this.#pending.add(work);
  }

  async #kill(node: string, program: Program): Promise<void> {
    await this.#run(node, forProgram(PROGRAMS[program], 'kill -9 $(basename $p)'));
  }

  async #stop(node: string): Promise<void> {
    await this.#run(node, forProgram(PROGRAMS['weft-npc'], 'kill -STOP $(basename $p)'));
    await new Promise((resolve) => setTimeout(resolve, STOP_MS));
    await this.#run(node, forProgram(PROGRAMS['weft-npc'], 'kill -CONT $(basename $p)'));
  }

  async #deletePod(node: string): Promise<void> {
    const pod = await this.#podOn(node, 'weft-npc');
    // Until it is gone it says that it serves.
    await this.#weft.lab.kubectl.run(['delete', 'pod', pod, '-n', NAMESPACE, '--timeout=50s']);
  }

  async #flush(node: string): Promise<void> {
    const whole = this.#truth.open(node, Date.now());
    await this.#run(node, 'nft delete table inet weft-npc');
    await new Promise((resolve) => setTimeout(resolve, WHOLE_AGAIN_MS));
    whole(Date.now());
  }

  async #flushWhileDown(node: string): Promise<void> {
    await this.#kill(node, 'weft-npc');
    await this.#flush(node);
  }

  async #powerOff(node: string): Promise<void> {
    this.#off.add(node);
    await this.#weft.lab.powerOff(node);
    await new Promise((resolve) => setTimeout(resolve, OFF_MS));
    await this.#weft.lab.powerOn(node);
    await this.#weft.lab.waitForNodes([node], BACK_LIMIT_MS);
    this.#off.delete(node);
  }

  async #run(node: string, script: string): Promise<void> {
    await this.#weft.lab.node(node).run(['sh', '-c', script], { mayFail: true });
  }

  async #followsAll(node: string): Promise<boolean> {
    const { copy } = await this.#weft.weft<PolicyStatusResult>(node, 'policy', 'status');
    return copy.kinds.some(({ kind, version }) => kind === 'clusternetworkpolicies' && version === 'v1beta1');
  }

  /** Waits until both programs of a node say that they serve. */
  async #enforces(node: string): Promise<void> {
    await until(
      `policies to be enforced on ${node}`,
      async () => (await this.#serves(node, 6784)) && (await this.#serves(node, 6785)),
      { timeoutMs: BACK_LIMIT_MS, everyMs: 500 },
    );
  }

  async #serves(node: string, port: number): Promise<boolean> {
    const argv = ['curl', '-sf', '-m', '2', '-o', '/dev/null', `http://127.0.0.1:${port}/readyz`];
    return (await this.#weft.lab.node(node).run(argv, { mayFail: true })).status === 0;
  }

  async #podOn(node: string, program: Program): Promise<string> {
    const pods = await this.#weft.lab.kubectl.list('pods', NAMESPACE, `app.kubernetes.io/name=${program}`);
    const pod = pods.find(({ spec }) => spec.nodeName === node);
    if (pod === undefined) throw new Error(`no pod of ${program} on ${node}`);
    return pod.metadata.name;
  }
}
