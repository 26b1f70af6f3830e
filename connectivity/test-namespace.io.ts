import { setTimeout as delay } from 'node:timers/promises';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import type { ApiClient } from '../kube/api-client.io.ts';
import { ApiError } from '../kube/api-error.ts';
import { isRecord } from '../kube/objects.ts';
import { type PodFacts, readPod, readService, type ServiceFacts } from './cluster-facts.ts';
import { NAMESPACE, namespaceObject, OWNED_BY, type Role, SERVICE } from './workload-objects.ts';

const LOOK_EVERY_MS = 500;
/** The namespace goes within this; a node that is away holds up its pods for longer. */
const REMOVE_MS = 60_000;
/** A new namespace gets its service account within this, without which no pod may be made. */
const ACCOUNT_MS = 15_000;
const PATH = `/api/v1/namespaces/${NAMESPACE}`;
const GROUP = {
  pods: PATH,
  services: PATH,
  networkpolicies: `/apis/networking.k8s.io/v1/namespaces/${NAMESPACE}`,
} as const;

/** The namespace of a test, by the rights of whoever runs it. */
export class TestNamespace {
  readonly #client: ApiClient;
  readonly signal: AbortSignal;
  /** There may be something to remove. */
  #isMade = false;

  constructor(client: ApiClient, signal: AbortSignal) {
    this.#client = client;
    this.signal = signal;
  }

  /** Makes it anew: what a test that was killed left goes first. Throws E_TEST_NAMESPACE where one of that name is not ours. */
  async make(): Promise<void> {
    const { signal } = this;
    const existing = await this.#get(PATH);
    if (existing !== undefined) {
      if (!isOurs(existing))
        throw new WeftError(
          'E_TEST_NAMESPACE',
          `there is a namespace ${NAMESPACE} that no weft test has made`,
          'rename or remove it',
        );
      await this.#remove();
    }
    signal.throwIfAborted();
    this.#isMade = true;
    await this.#client.request('/api/v1/namespaces', { method: 'POST', body: namespaceObject(), signal });
  }

  async create(kind: keyof typeof GROUP, body: object): Promise<void> {
    const until = performance.now() + ACCOUNT_MS;
    for (;;) {
      try {
        await this.#client.request(`${GROUP[kind]}/${kind}`, { method: 'POST', body, signal: this.signal });
        return;
      } catch (error) {
        const isEarly =
          error instanceof ApiError && error.status === 403 && error.message.includes('serviceaccount');
        if (!isEarly || performance.now() > until) throw error;
        await this.#pause();
      }
    }
  }

  /** Waits until all of these are ready. Throws E_TEST_START with why one is not. */
  async started(roles: readonly Role[], timeoutMs: number): Promise<ReadonlyMap<Role, PodFacts>> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      const found = new Map<Role, PodFacts>();
      let missing = '';
      for (const role of roles) {
        const pod = await this.pod(role);
        if (pod?.isReady) found.set(role, pod);
        else missing = `${role} (${printable(pod?.waitsFor || pod?.phase || 'not there', 300)})`;
      }
      if (found.size === roles.length) return found;
      if (performance.now() > until)
        throw new WeftError(
          'E_TEST_START',
          `the pod ${missing} of ${NAMESPACE} is not ready after ${timeoutMs / 1000} s`,
          "see 'weft doctor' on its node, and that the kubelet has Weft's image",
        );
      await this.#pause();
    }
  }

  /** Undefined where it is not there. */
  async pod(role: Role): Promise<PodFacts | undefined> {
    const found = await this.#get(`${PATH}/pods/${role}`);
    return found === undefined ? undefined : readPod(found);
  }

  async service(): Promise<ServiceFacts | undefined> {
    const found = await this.#get(`${PATH}/services/${SERVICE}`);
    return found === undefined ? undefined : readService(found);
  }

  /** What it has printed so far; nothing where it does not run yet. */
  async log(role: Role): Promise<string> {
    try {
      return await this.#client.text(`${PATH}/pods/${role}/log`, { signal: this.signal });
    } catch (error) {
      // 400: its container is being made.
      if (error instanceof ApiError && (error.status === 400 || error.status === 404)) return '';
      throw error;
    }
  }

  /** Waits until its log has `text`. False where it has not in time, or the pod has failed. */
  async logHas(role: Role, text: string, timeoutMs: number): Promise<boolean> {
    const until = performance.now() + timeoutMs;
    while (performance.now() < until) {
      if ((await this.log(role)).includes(text)) return true;
      if ((await this.pod(role))?.phase === 'Failed') return false;
      await this.#pause();
    }
    return false;
  }

  /** Removes what was made, also where the test was ended, and waits until it is gone. Throws E_TEST_NAMESPACE where it stays. */
  async close(): Promise<void> {
    if (this.#isMade) await this.#remove();
  }

  async #remove(): Promise<void> {
    const until = performance.now() + REMOVE_MS;
    for (;;) {
      try {
        await this.#client.request(PATH, { method: 'DELETE' });
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return;
        // 409: it goes already.
        const isPassing = error instanceof ApiError && (error.status === 409 || error.status === 0);
        if (!isPassing)
          throw new WeftError(
            'E_TEST_NAMESPACE',
            `the namespace ${NAMESPACE} cannot be removed: ${(error as Error).message}`,
            `remove it by 'kubectl delete namespace ${NAMESPACE}'`,
            { cause: error },
          );
      }
      if (performance.now() > until)
        throw new WeftError(
          'E_TEST_NAMESPACE',
          `the namespace ${NAMESPACE} is still there after ${REMOVE_MS / 1000} s`,
          `see 'kubectl get all -n ${NAMESPACE}'; the next weft test removes it, too`,
        );
      await delay(LOOK_EVERY_MS);
    }
  }

  async #get(path: string): Promise<unknown> {
    try {
      return await this.#client.request(path, { signal: this.signal });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  #pause(): Promise<void> {
    return delay(LOOK_EVERY_MS, undefined, { signal: this.signal });
  }
}

function isOurs(namespace: unknown): boolean {
  const metadata = isRecord(namespace) ? namespace.metadata : undefined;
  const labels = isRecord(metadata) ? metadata.labels : undefined;
  return isRecord(labels) && labels[OWNED_BY.key] === OWNED_BY.value;
}
