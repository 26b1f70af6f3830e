import { setTimeout as delay } from 'node:timers/promises';
import { type RandomSource, randomUnit } from '../../base/random.ts';
import type { ApiClient } from '../../kube/api-client.io.ts';
import { ApiError } from '../../kube/api-error.ts';
import { Backoff } from '../../kube/backoff.ts';
import { type Delta, isEmpty, ObjectStore } from '../../kube/object-store.ts';
import { isRecord, type ObjectMeta } from '../../kube/objects.ts';
import { Reflector, type ReflectorOptions } from '../../kube/reflector.io.ts';

/** A kind that is not there is looked for again after this, and up to half as much more. */
const LOOK_AGAIN_MS = 20_000;
/** Objects that were there are given up only where their kind is found gone twice, so long apart. */
const CONFIRM_MS = 3_000;

interface OptionalCollectionOptions<T extends ObjectMeta> extends Omit<ReflectorOptions<T>, 'path'> {
  readonly client: ApiClient;
  readonly random: RandomSource;
  /** `policy.networking.k8s.io` */
  readonly group: string;
  /** Versions that can be read, the preferred one first. */
  readonly versions: readonly string[];
  /** `clusternetworkpolicies` */
  readonly plural: string;
  /** Default {@link LOOK_AGAIN_MS}. */
  readonly lookAgainMs?: number;
}

/**
 * Keeps a copy of a collection whose kind may be absent, come, be served in another version and go while this runs, as
 * custom resources are. A kind that the API does not serve (404) has no objects; the copy is complete then, too. Where
 * the version that is followed ends and another one is served, what stays is not handed out again.
 */
export class OptionalCollection<T extends ObjectMeta> {
  readonly #options: OptionalCollectionOptions<T>;
  readonly #store = new ObjectStore<T>();
  readonly #stop = new AbortController();
  #reflector: Reflector<T> | undefined;
  #version: string | undefined;
  #toldSynced = false;

  constructor(options: OptionalCollectionOptions<T>) {
    this.#options = options;
  }

  /** The version that is followed; undefined while the API serves none of those that can be read. */
  get version(): string | undefined {
    return this.#version;
  }

  /** Follows the collection until {@link stop}; resolves then. Rejects with what is no {@link ApiError}: a bug. */
  async run(): Promise<void> {
    const { random, lookAgainMs = LOOK_AGAIN_MS, onFault, onServed } = this.#options;
    const { signal } = this.#stop;
    const backoff = new Backoff(random);
    let missing = 0;
    while (!signal.aborted) {
      try {
        this.#version = await this.#served();
        backoff.reset();
        if (this.#version !== undefined) {
          missing = 0;
          await this.#follow(this.#version);
          continue;
        }
        onServed();
        missing++;
        if (this.#store.size > 0 && missing === 1) {
          await this.#pause(CONFIRM_MS);
          continue;
        }
        this.#store.beginList();
        this.#complete();
        await this.#pause(lookAgainMs * (1 + randomUnit(random) / 2));
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        onFault(error);
        await this.#pause(backoff.next(error.retryAfterMs));
      }
    }
  }

  stop(): void {
    this.#stop.abort();
    this.#reflector?.stop();
  }

  /** The version to follow, of those that the API serves; undefined where it serves none. */
  async #served(): Promise<string | undefined> {
    const { client, group, versions, plural } = this.#options;
    const { signal } = this.#stop;
    const answer = await unlessMissing(client.request(`/apis/${group}`, { signal }));
    const served = isRecord(answer) && Array.isArray(answer.versions) ? answer.versions : [];
    const names = served.map((each: unknown) => (isRecord(each) ? each.version : undefined));
    for (const version of versions.filter((each) => names.includes(each))) {
      const list = await unlessMissing(
        client.request(`/apis/${group}/${version}/${plural}?limit=1`, { signal }),
      );
      if (list !== undefined) return version;
    }
    return undefined;
  }

  /** Follows one version for as long as the API serves it. */
  async #follow(version: string): Promise<void> {
    const { group, plural, onFault } = this.#options;
    this.#store.beginList();
    const reflector = new Reflector<T>({
      ...this.#options,
      path: `/apis/${group}/${version}/${plural}`,
      onDelta: (delta) => this.#take(delta),
      onSynced: () => this.#complete(),
      onFault: (error) => {
        if (error.status === 404) reflector.stop();
        else onFault(error);
      },
    });
    this.#reflector = reflector;
    await reflector.run();
    this.#reflector = undefined;
  }

  #take({ gone, added, changed }: Delta<T>): void {
    for (const object of gone) this.#tell(this.#store.remove(object));
    this.#tell(this.#store.put([...added, ...changed.map(({ after }) => after)]));
  }

  /** A list is complete: what it did not hold is gone. */
  #complete(): void {
    this.#tell(this.#store.endList());
    if (this.#toldSynced) return;
    this.#toldSynced = true;
    this.#options.onSynced();
  }

  #tell(delta: Delta<T>): void {
    if (!isEmpty(delta)) this.#options.onDelta(delta);
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}

/** What the API `said`; undefined where there is no such thing. */
async function unlessMissing(said: Promise<unknown>): Promise<unknown> {
  try {
    return await said;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
