import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from '../kube/api-client.io.ts';
import { ApiError } from '../kube/api-error.ts';
import { chosenNode } from './chosen-node.ts';
import type { Policy } from './model/policy.ts';

/** Between two events of this node. */
const GAP_MS = 1_000;
/** Events that wait; more are left out, and told when their policies change. */
const MAX_WAITING = 100;
/** The API's bound of a note. */
const MAX_NOTE_BYTES = 1024;
/** An API that refuses is asked again after this. */
const RETRY_MS = 30_000;

/** What events tell of: policies that cannot be honoured as they are written, or ports that none of the pods has. */
type Reason = 'NotHonoured' | 'PortNotFound';

/** An event (events.k8s.io/v1) that says what is wrong with a policy. `at` is milliseconds since 1970. */
export function policyEvent(
  policy: Policy,
  { reason, nodeName, at }: { readonly reason: Reason; readonly nodeName: string; readonly at: number },
): Record<string, unknown> {
  const { kind, namespace, name, uid, resourceVersion, faults } = policy;
  const isOfNamespace = namespace !== '';
  const suffix = reason === 'NotHonoured' ? '' : '.port';
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      // The same for the same version of a policy, so that it is told once, whoever does.
      name: `${name.slice(0, 180)}.${uid.slice(0, 40)}.${resourceVersion.slice(0, 24)}${suffix}`.toLowerCase(),
      namespace: isOfNamespace ? namespace : 'default',
    },
    eventTime: `${new Date(at).toISOString().slice(0, -1)}000Z`,
    reportingController: 'weft-npc',
    reportingInstance: nodeName,
    action: 'Enforce',
    reason,
    type: 'Warning',
    note: noteOf(faults),
    regarding: {
      apiVersion: isOfNamespace ? 'networking.k8s.io/v1' : 'policy.networking.k8s.io/v1beta1',
      kind,
      ...(isOfNamespace ? { namespace } : {}),
      name,
      uid,
      resourceVersion,
    },
  };
}

function noteOf(faults: readonly string[]): string {
  const encoder = new TextEncoder();
  let note = '';
  for (const fault of faults) {
    const longer = note === '' ? fault : `${note}; ${fault}`;
    if (encoder.encode(longer).length > MAX_NOTE_BYTES) break;
    note = longer;
  }
  return note === '' ? 'see weft policy status' : note;
}

interface PolicyEventsOptions {
  readonly client: ApiClient;
  readonly reason: Reason;
  readonly nodeName: string;
  /** Those of which one tells of a policy. */
  readonly nodeNames: () => Iterable<string>;
  /** Telling works, or does not. */
  readonly onOutcome: (error: ApiError | undefined) => void;
}

/** Tells of policies with faults by events of Kubernetes: each version of each of them once, from one node. */
export class PolicyEvents {
  readonly #options: PolicyEventsOptions;
  readonly #toldByUid = new Map<string, string>();
  readonly #waiting = new Map<string, Policy>();
  readonly #stop = new AbortController();
  #isRunning = false;

  constructor(options: PolicyEventsOptions) {
    this.#options = options;
  }

  /** The policies as they are now. */
  look(policies: Iterable<Policy>): void {
    const { nodeName, nodeNames } = this.#options;
    const uids = new Set<string>();
    for (const policy of policies) {
      if (policy.faults.length === 0) continue;
      uids.add(policy.uid);
      if (this.#toldByUid.get(policy.uid) === policy.resourceVersion) continue;
      if (chosenNode(policy.uid, nodeNames()) !== nodeName) continue;
      if (this.#waiting.has(policy.uid) || this.#waiting.size < MAX_WAITING)
        this.#waiting.set(policy.uid, policy);
    }
    for (const uid of this.#toldByUid.keys()) if (!uids.has(uid)) this.#toldByUid.delete(uid);
    for (const uid of this.#waiting.keys()) if (!uids.has(uid)) this.#waiting.delete(uid);
    if (!this.#isRunning && this.#waiting.size > 0) void this.#run(); // a rejection is a bug, and ends the process
  }

  close(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { client, reason, nodeName, onOutcome } = this.#options;
    const { signal } = this.#stop;
    this.#isRunning = true;
    while (!signal.aborted) {
      const [policy] = this.#waiting.values();
      if (policy === undefined) break;
      try {
        const body = policyEvent(policy, { reason, nodeName, at: Date.now() });
        const { namespace } = body.metadata as { readonly namespace: string };
        const path = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
        await client.request(path, { method: 'POST', body, signal });
        onOutcome(undefined);
      } catch (error) {
        if (signal.aborted) break;
        if (!(error instanceof ApiError)) throw error;
        // Told already; or the namespace is going, and with it the policy.
        const isDone = error.reason === 'AlreadyExists' || error.status === 404 || error.status === 422;
        if (!isDone && error.status !== 409) {
          onOutcome(error);
          await delay(Math.max(RETRY_MS, error.retryAfterMs ?? 0), undefined, { signal }).catch(() => {});
          continue;
        }
      }
      this.#toldByUid.set(policy.uid, policy.resourceVersion);
      if (this.#waiting.get(policy.uid) === policy) this.#waiting.delete(policy.uid);
      await delay(GAP_MS, undefined, { signal }).catch(() => {});
    }
    this.#isRunning = false;
  }
}
