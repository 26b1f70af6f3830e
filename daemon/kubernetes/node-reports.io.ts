import { setTimeout as delay } from 'node:timers/promises';
import type { Instant } from '../../base/instant.ts';
import { type RandomSource, randomUnit } from '../../base/random.ts';
import type { Warning } from '../../base/warning.ts';
import type { Readiness } from '../../host/health-server.io.ts';
import type { ApiClient } from '../../kube/api-client.io.ts';
import { ApiError } from '../../kube/api-error.ts';
import { Backoff, type BackoffLimits } from '../../kube/backoff.ts';
import { readMeta } from '../../kube/objects.ts';
import { DAEMON_SET, eventObject, eventPlace, seriesPatch, timesSeen } from './event-object.ts';
import type { KubernetesWarnings } from './kubernetes-warnings.ts';
import {
  conditionPatch,
  isToBeWritten,
  type NetworkCondition,
  readCondition,
  WantedCondition,
} from './node-condition.ts';
import { type WarningEvent, WarningEvents } from './warning-events.ts';

/** Between two looks at what there is to tell. */
const LOOK_EVERY_MS = 10_000;
/** The condition of the Node is read again after about this: a cloud's controller may have changed it. */
const CONDITION_EVERY_MS = 600_000;
/** After an API that refused or did not answer. */
const RETRY: BackoffLimits = { firstMs: 15_000, mostMs: 300_000 };

/** What is told of this node. */
export interface Reported {
  /** All that `weft status` warns of. */
  problems(): readonly Warning[];
  /** Whether weftd serves this node. */
  readiness(): Readiness;
}

interface NodeReportsOptions extends Reported {
  readonly client: ApiClient;
  /** Weft's own. */
  readonly namespace: string;
  readonly nodeName: string;
  /** This node tells what concerns the whole cluster. */
  readonly isSpeaker: () => boolean;
  readonly warnings: KubernetesWarnings;
  readonly random: RandomSource;
  readonly now: () => Instant;
  /** Milliseconds since 1970. */
  readonly date: () => number;
  /** For tests. */
  readonly everyMs?: number;
}

/**
 * Tells the API of this node what an operator sees there: the condition NetworkUnavailable, and events for warnings. Where the
 * API is away nothing is kept for it: what still stands afterwards is told then.
 */
export class NodeReports {
  readonly #options: NodeReportsOptions;
  readonly #stop = new AbortController();
  readonly #events = new WarningEvents();
  readonly #eventRetry: Backoff;
  #eventsRestUntil = 0;
  readonly #wanted = new WantedCondition();
  readonly #conditionRetry: Backoff;
  /** What was found or written last. */
  #condition: NetworkCondition | undefined;
  #conditionDueAt = 0;
  #daemonSetUid: string | undefined;

  constructor(options: NodeReportsOptions) {
    this.#options = options;
    this.#eventRetry = new Backoff(options.random, RETRY);
    this.#conditionRetry = new Backoff(options.random, RETRY);
  }

  /** Tells until {@link stop}. What rejects there is a bug, and ends the process. */
  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#tellCondition();
      await this.#tellEvents();
      const pause = this.#options.everyMs ?? LOOK_EVERY_MS;
      await delay(pause, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #tellCondition(): Promise<void> {
    const { now, readiness, warnings, random } = this.#options;
    const wanted = this.#wanted.look(readiness(), now());
    if (wanted === undefined) return;
    // What changed is written at once, unless the API has just refused.
    const isNews = this.#condition !== undefined && this.#condition.status !== wanted.status;
    if (now() < this.#conditionDueAt && !isNews) return;
    const error = await this.#try(() => this.#writeCondition(wanted));
    if (error === undefined) {
      this.#condition = wanted;
      warnings.granted('condition');
      this.#conditionRetry.reset();
      this.#conditionDueAt = now() + CONDITION_EVERY_MS * (0.75 + randomUnit(random) / 2);
    } else {
      this.#condition = undefined;
      warnings.failed('condition', error, now());
      this.#conditionDueAt = now() + this.#conditionRetry.next(error.retryAfterMs);
    }
  }

  async #writeCondition(wanted: NetworkCondition): Promise<void> {
    const { client, nodeName, date } = this.#options;
    const { signal } = this.#stop;
    const path = `/api/v1/nodes/${nodeName}`;
    if (!isToBeWritten(wanted, readCondition(await client.request(path, { signal })))) return;
    await client.request(`${path}/status`, {
      method: 'PATCH',
      contentType: 'application/strategic-merge-patch+json',
      body: conditionPatch(wanted, date()),
      signal,
    });
  }

  async #tellEvents(): Promise<void> {
    const { problems, isSpeaker, now, warnings } = this.#options;
    const due = this.#events.due(problems(), { isSpeaker: isSpeaker(), now: now() });
    if (due.length === 0) return warnings.granted('warnings');
    if (now() < this.#eventsRestUntil) return;
    for (const event of due) {
      if (this.#stop.signal.aborted || !this.#events.admit(now())) return;
      const error = await this.#try(() => this.#writeEvent(event));
      if (error !== undefined) {
        warnings.failed('warnings', error, now());
        this.#eventsRestUntil = now() + this.#eventRetry.next(error.retryAfterMs);
        return;
      }
      this.#events.told(event, now());
      warnings.granted('warnings');
      this.#eventRetry.reset();
    }
  }

  /** Makes the event, or counts it up where these words were told before, also by a weftd before this one. */
  async #writeEvent(event: WarningEvent): Promise<void> {
    const { client, nodeName, namespace, date } = this.#options;
    const { signal } = this.#stop;
    const { path, name } = eventPlace(event, { nodeName, namespace });
    const countUp = (times: number): Promise<unknown> =>
      client.request(`${path}/${name}`, {
        method: 'PATCH',
        contentType: 'application/merge-patch+json',
        body: seriesPatch(times, date()),
        signal,
      });
    if (event.before > 0) {
      try {
        await countUp(event.before + 1);
        return;
      } catch (error) {
        // The API has forgotten it.
        if (!(error instanceof ApiError) || error.status !== 404) throw error;
      }
    }
    const daemonSetUid = event.subject === 'cluster' ? await this.#uidOfDaemonSet() : undefined;
    const body = eventObject(event, { nodeName, namespace, daemonSetUid, at: date() });
    try {
      await client.request(path, { method: 'POST', body, signal });
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
      await countUp(timesSeen(await client.request(`${path}/${name}`, { signal })) + 1);
    }
  }

  /** Undefined where the DaemonSet has another name, or may not be read: the event is told all the same. */
  async #uidOfDaemonSet(): Promise<string | undefined> {
    const { client, namespace } = this.#options;
    const path = `/apis/apps/v1/namespaces/${namespace}/daemonsets/${DAEMON_SET}`;
    try {
      const found = await client.request(path, { signal: this.#stop.signal });
      this.#daemonSetUid = readMeta(found)?.uid;
    } catch (error) {
      if (!(error instanceof ApiError) || (error.status !== 403 && error.status !== 404)) throw error;
    }
    return this.#daemonSetUid;
  }

  /** What the API said against it; undefined where all went well, or where this ends. */
  async #try(act: () => Promise<void>): Promise<ApiError | undefined> {
    try {
      await act();
      return undefined;
    } catch (error) {
      if (this.#stop.signal.aborted) return undefined;
      if (!(error instanceof ApiError)) throw error;
      return error;
    }
  }
}
