import { until } from '../../test/cluster/command.ts';
import type { KubeObject } from '../../test/lab/harness/kubectl.ts';
import type { Lab } from '../../test/lab/harness/lab.ts';
import { ApiWatch } from './api-watch.ts';
import { readContainerdLog } from './containerd-log.ts';

const LABEL = 'bench';
const LIMIT_MS = 180_000;

/** When what happened to a pod; milliseconds since 1970. */
interface Milestones {
  readonly uid: string;
  readonly node: string;
  readonly createdAt: number;
  readonly runningAt: number;
  readonly containerId: string;
}

/** How long a pod took from its creation. Milliseconds. */
export interface PodStart {
  /** Until its container had been started, by the runtime's log. */
  readonly startedMs: number;
  /** Until the API told that it is Running, which the kubelet has to see and say first. */
  readonly runningMs: number;
  /** Of that, its sandbox with its network. */
  readonly sandboxMs: number;
}

/** The manifest of a pod. */
interface NamedPod {
  readonly metadata: { readonly name: string };
}

/** A pod that does nothing; where a node is named the scheduler has no other choice. */
export function idlePod(name: string, node?: string) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: LABEL } },
    spec: {
      ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'pause', image: 'lab.test/pause:1' }],
    },
  };
}

/** Starts pods in a lab and takes their times. A creation is taken for the moment at which a watch shows it. */
export class PodStarts {
  readonly #lab: Lab;
  readonly #watch: ApiWatch;
  readonly #milestonesByName: Map<string, Partial<Milestones>>;

  private constructor(lab: Lab, watch: ApiWatch, milestonesByName: Map<string, Partial<Milestones>>) {
    this.#lab = lab;
    this.#watch = watch;
    this.#milestonesByName = milestonesByName;
  }

  static async begin(lab: Lab): Promise<PodStarts> {
    const milestonesByName = new Map<string, Partial<Milestones>>();
    const watch = await ApiWatch.start(lab, '/api/v1/namespaces/default/pods', (pod, at) => {
      const known = milestonesByName.get(pod.metadata.name);
      if (known === undefined) return; // one of those before
      milestonesByName.set(pod.metadata.name, { createdAt: at, ...known, ...milestonesOf(pod, known, at) });
    });
    return new PodStarts(lab, watch, milestonesByName);
  }

  /** Creates pods, all in one go, and waits until all of them are Running. Milliseconds from the first to the last. */
  async create(pods: readonly NamedPod[]): Promise<number> {
    this.#milestonesByName.clear();
    for (const { metadata } of pods) this.#milestonesByName.set(metadata.name, {});
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods });
    await this.#lab.kubectl.run(['create', '-f', '-'], { input });
    const runningAt = (): number[] => this.#all().flatMap((each) => each.runningAt ?? []);
    await until(`${pods.length} pods to be Running`, () => runningAt().length === pods.length, {
      timeoutMs: LIMIT_MS,
    });
    return Math.max(...runningAt()) - Math.min(...this.#all().map(({ createdAt }) => createdAt!));
  }

  /** Of the pods that {@link create} made last. */
  times(): PodStart[] {
    const logByNode = new Map(
      this.#lab.nodes.map(({ name, machine }) => [name, readContainerdLog(machine.log('containerd'))]),
    );
    return (this.#all() as Milestones[]).map(({ uid, node, createdAt, runningAt, containerId }) => {
      const { startedAtById, sandboxMsByPodUid } = logByNode.get(node)!;
      return {
        startedMs: startedAtById.get(containerId)! - createdAt,
        runningMs: runningAt - createdAt,
        sandboxMs: sandboxMsByPodUid.get(uid)!,
      };
    });
  }

  /** Removes all pods and waits until they are gone. */
  async clear(): Promise<void> {
    await this.#lab.kubectl.run(['delete', 'pods', '-l', `app=${LABEL}`], { timeoutMs: LIMIT_MS });
  }

  async end(): Promise<void> {
    await this.#watch.stop();
  }

  #all(): Partial<Milestones>[] {
    return [...this.#milestonesByName.values()];
  }
}

/** What an object of the watch adds to what is known of its pod. */
function milestonesOf(pod: KubeObject, known: Partial<Milestones>, at: number): Partial<Milestones> {
  if (pod.status.phase !== 'Running' || known.runningAt !== undefined) return {};
  const [container] = pod.status.containerStatuses;
  return {
    uid: pod.metadata.uid,
    node: pod.spec.nodeName,
    runningAt: at,
    containerId: container.containerID.replace('containerd://', ''),
  };
}
