import type { Instant } from '../../base/instant.ts';
import type { RandomSource } from '../../base/random.ts';
import type { Log } from '../../host/log.ts';
import type { ApiClient } from '../../kube/api-client.io.ts';
import { ApiError } from '../../kube/api-error.ts';
import { Backoff } from '../../kube/backoff.ts';
import { createOnce } from '../../kube/cluster-secret.io.ts';
import { type ObjectMeta, readMeta } from '../../kube/objects.ts';
import { Reflector } from '../../kube/reflector.io.ts';
import { GENESIS_NAME, genesisObject } from '../../kube/ring-object.ts';
import { SECRET_NAME, secretObject, secretOf } from '../../kube/secret-object.ts';
import type { KubernetesWarnings } from './kubernetes-warnings.ts';

/** The Secret as it was seen: of which cluster. */
interface SeenSecret extends ObjectMeta {
  /** Hex; undefined where the object holds no secret. */
  readonly clusterId: string | undefined;
}

/** The cluster that this node belongs to, as its secret tells. */
export interface OwnCluster {
  /** Hex. */
  readonly id: string;
  /** Hex of the cluster that a secret names. Throws a WeftError where it is no secret. */
  readonly idOf: (secret: string) => string;
  /** The text of this node's own secret. Read only when it is to be put back. */
  readonly secret: () => string;
}

/** What a {@link Caretaker} works with. */
interface CaretakerOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly random: RandomSource;
  readonly now: () => Instant;
  readonly log: Log;
  readonly warnings: KubernetesWarnings;
  readonly cluster: OwnCluster;
  /** The genesis of the ring that this node has a part in. */
  readonly ownGenesis: () => Uint8Array | undefined;
  /** In words, for people who read the object. */
  readonly nodeName: string;
  readonly ranges: readonly string[];
}

/**
 * What one node of the cluster does for all: it watches the nodes, to find those that are gone, and the cluster's
 * Secret. Where somebody deleted the Secret or the object that began the ring, it puts them back.
 */
export class Caretaker {
  readonly #options: CaretakerOptions;
  readonly #nodes: Reflector<ObjectMeta>;
  readonly #secret: Reflector<SeenSecret>;
  readonly #backoff: Backoff;
  readonly #nodeNames = new Set<string>();
  #areNodesKnown = false;
  /** Undefined where there is none, and until {@link #isSecretKnown}. */
  #seen: SeenSecret | undefined;
  #isSecretKnown = false;
  #isPuttingBack = false;
  #restsUntil = 0;

  constructor(options: CaretakerOptions) {
    this.#options = options;
    const { client, namespace, random, warnings, now } = options;
    this.#backoff = new Backoff(random);
    const judging = (asked: 'nodes' | 'secret') => ({
      onFault: (error: ApiError) => warnings.failed(asked, error, now()),
      onServed: () => warnings.granted(asked),
    });
    this.#nodes = new Reflector({
      client,
      path: '/api/v1/nodes',
      metadataOnly: true,
      read: readMeta,
      random,
      onDelta: ({ gone, added }) => {
        for (const { name } of gone) this.#nodeNames.delete(name);
        for (const { name } of added) this.#nodeNames.add(name);
      },
      onSynced: () => {
        this.#areNodesKnown = true;
      },
      ...judging('nodes'),
    });
    this.#secret = new Reflector({
      client,
      path: `/api/v1/namespaces/${namespace}/secrets`,
      fieldSelector: `metadata.name=${SECRET_NAME}`,
      read: (value) => this.#readSecret(value),
      random,
      onDelta: ({ gone, added, changed }) => {
        const [found] = [...added, ...changed.map(({ after }) => after)];
        if (found !== undefined || gone.length > 0) this.#seen = found;
        this.#judgeSecret();
      },
      onSynced: () => {
        this.#isSecretKnown = true;
      },
      ...judging('secret'),
    });
  }

  start(): void {
    // A rejection is a bug, and ends the process.
    void this.#nodes.run();
    void this.#secret.run();
  }

  stop(): void {
    const { warnings } = this.#options;
    this.#nodes.stop();
    this.#secret.stop();
    for (const asked of ['nodes', 'secret', 'put-back'] as const) warnings.granted(asked);
    warnings.secretSeen('ours');
  }

  /** Names of all nodes of the cluster; undefined until they were listed. */
  get nodeNames(): ReadonlySet<string> | undefined {
    return this.#areNodesKnown ? this.#nodeNames : undefined;
  }

  /** Puts back what is missing. `hasGenesisObject`: the object that began the ring is there, or may be. */
  async putBack(hasGenesisObject: boolean): Promise<void> {
    const { client, namespace, log, warnings, now, ownGenesis, cluster } = this.#options;
    const genesis = hasGenesisObject ? undefined : ownGenesis();
    if (this.#isPuttingBack || now() < this.#restsUntil) return;
    const isSecretGone = this.#isSecretKnown && this.#seen === undefined;
    if (genesis === undefined && !isSecretGone) return;
    const at = `/api/v1/namespaces/${namespace}`;
    this.#isPuttingBack = true;
    try {
      if (genesis !== undefined) {
        const { nodeName, ranges } = this.#options;
        const body = genesisObject(namespace, genesis, { clusterId: cluster.id, founder: nodeName, ranges });
        if (await createOnce(client, `${at}/configmaps`, body))
          log.warn('somebody deleted the object that began the ring; put it back', { object: GENESIS_NAME });
      }
      if (isSecretGone) {
        if (await createOnce(client, `${at}/secrets`, secretObject(namespace, cluster.secret().trim())))
          log.warn("somebody deleted the cluster's Secret; put it back", { object: SECRET_NAME });
      }
      warnings.granted('put-back');
      this.#backoff.reset();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      warnings.failed('put-back', error, now());
      this.#restsUntil = now() + this.#backoff.next(error.retryAfterMs);
    } finally {
      this.#isPuttingBack = false;
    }
  }

  /** Nothing of the secret is kept but the cluster that it names. */
  #readSecret(value: unknown): SeenSecret | undefined {
    const meta = readMeta(value);
    if (meta === undefined) return undefined;
    try {
      return { ...meta, clusterId: this.#options.cluster.idOf(secretOf(value)) };
    } catch {
      return { ...meta, clusterId: undefined };
    }
  }

  #judgeSecret(): void {
    const { warnings, cluster } = this.#options;
    const isOther = this.#seen !== undefined && this.#seen.clusterId !== cluster.id;
    warnings.secretSeen(isOther ? 'other' : 'ours');
  }
}
