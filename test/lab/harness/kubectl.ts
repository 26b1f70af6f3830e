import { type CommandOptions, type CommandResult, until } from '../../cluster/command.ts';
import type { Machine } from './machine.ts';

/** A Kubernetes object, as far as it is looked at here. */
export interface KubeObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid: string };
  // biome-ignore lint/suspicious/noExplicitAny: tests look at any field of any kind
  readonly spec?: any;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  readonly status?: any;
}

const APPLY_LIMIT_MS = 180_000;

/** What waiting is bounded by; default 60 s. */
export interface WaitOptions {
  readonly timeoutMs?: number;
}

/** kubectl as the administrator (the environment of every machine says so), from one of the machines. */
export class Kubectl {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Runs kubectl to its end; rejects where it fails, see `mayFail`. */
  run(args: readonly string[], options: Omit<CommandOptions, 'namespace'> = {}): Promise<CommandResult> {
    return this.#machine.run(['kubectl', ...args], {
      timeoutMs: 60_000,
      ...options,
    });
  }

  /** Applies manifests: YAML text, or objects. */
  async apply(manifest: string | object | readonly object[]): Promise<void> {
    const items = Array.isArray(manifest) ? { apiVersion: 'v1', kind: 'List', items: manifest } : manifest;
    const input = typeof items === 'string' ? items : JSON.stringify(items);
    // A crowd of pods starts while the last of them are still being made.
    await this.run(['apply', '-f', '-'], { input, timeoutMs: APPLY_LIMIT_MS });
  }

  /** One object, or undefined where there is none. */
  async get(kind: string, name: string, namespace = 'default'): Promise<KubeObject | undefined> {
    const args = ['get', kind, name, '-n', namespace, '-o', 'json', '--ignore-not-found'];
    const { stdout } = await this.run(args);
    return stdout.trim() === '' ? undefined : (JSON.parse(stdout) as KubeObject);
  }

  /** All objects of a kind, of one namespace or of all (`'*'`), that have the labels (`app=a`). */
  async list(kind: string, namespace = 'default', selector = ''): Promise<KubeObject[]> {
    const where = namespace === '*' ? ['-A'] : ['-n', namespace];
    const { stdout } = await this.run(['get', kind, ...where, '-l', selector, '-o', 'json']);
    return (JSON.parse(stdout) as { items: KubeObject[] }).items;
  }

  /** Waits until all these nodes have `Ready` as `status`. */
  async waitForNodes(
    names: readonly string[],
    options: WaitOptions & { status?: 'True' | 'Unknown' } = {},
  ): Promise<void> {
    const { status = 'True', timeoutMs = 60_000 } = options;
    let seen = '';
    await until(
      `nodes ${names.join(', ')} to have Ready=${status}`,
      async () => {
        const nodes = await this.list('nodes');
        const ready = new Map(nodes.map((node) => [node.metadata.name, readiness(node)]));
        seen = [...ready].join(' ');
        if (names.every((name) => ready.get(name) === status)) return true;
        throw new Error(seen);
      },
      { timeoutMs, everyMs: 250 },
    );
  }

  /** Waits until at least `count` pods have the labels, and every one of them is Ready; returns them. */
  async waitForPods(
    selector: string,
    options: WaitOptions & { readonly namespace?: string; readonly count?: number } = {},
  ): Promise<KubeObject[]> {
    const { namespace = 'default', count = 1, timeoutMs = 60_000 } = options;
    return until(
      `${count} pods with ${selector} to be Ready`,
      async () => {
        const all = await this.list('pods', namespace, selector);
        const pods = all.filter((pod) => !('deletionTimestamp' in pod.metadata));
        if (pods.length >= count && pods.every(isReady)) return pods;
        throw new Error(pods.map((pod) => `${pod.metadata.name} ${pod.status.phase}`).join(', ') || 'none');
      },
      { timeoutMs, everyMs: 250 },
    );
  }

  /** Waits until an object is gone. */
  async waitForGone(
    kind: string,
    name: string,
    namespace = 'default',
    options: WaitOptions = {},
  ): Promise<void> {
    const gone = async (): Promise<boolean> => (await this.get(kind, name, namespace)) === undefined;
    await until(`${kind} ${name} to be gone`, gone, { timeoutMs: options.timeoutMs ?? 60_000, everyMs: 250 });
  }

  /** Runs a command in a pod's first container. */
  exec(
    pod: string,
    argv: readonly string[],
    options: Omit<CommandOptions, 'namespace'> & { inNamespace?: string } = {},
  ): Promise<CommandResult> {
    const { inNamespace = 'default', ...rest } = options;
    const stdin = rest.input === undefined ? [] : ['-i'];
    return this.run(['exec', '-n', inNamespace, ...stdin, pod, '--', ...argv], rest);
  }
}

/** Whether the condition `Ready` of a node or pod is True. */
export function isReady(object: KubeObject): boolean {
  return readiness(object) === 'True';
}

/** Status of the condition `Ready`. */
function readiness(object: KubeObject): string | undefined {
  const conditions: { type: string; status: string }[] = object.status?.conditions ?? [];
  return conditions.find((each) => each.type === 'Ready')?.status;
}
