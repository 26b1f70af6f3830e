import { setTimeout as delay } from 'node:timers/promises';
import { parseAddress } from '../../base/address.ts';
import { type Endpoint, endpoint } from '../../base/endpoint.ts';
import { after, type Instant } from '../../base/instant.ts';
import { type RandomSource, shuffle } from '../../base/random.ts';
import { formatRange, type Range } from '../../base/range.ts';
import type { Warning } from '../../base/warning.ts';
import type { Log } from '../../host/log.ts';
import type { ApiAccess } from '../../kube/access/api-access.ts';
import { inClusterAccess } from '../../kube/access/in-cluster.io.ts';
import { ApiClient } from '../../kube/api-client.io.ts';
import { ApiError } from '../../kube/api-error.ts';
import type { Asked } from '../../kube/api-faults.ts';
import { Backoff, type BackoffLimits } from '../../kube/backoff.ts';
import type { Delta } from '../../kube/object-store.ts';
import {
  type ConfigMap,
  type KubeNode,
  type ObjectMeta,
  readConfigMap,
  readList,
  readNode,
  readServiceCidr,
} from '../../kube/objects.ts';
import { Reflector, type ReflectorOptions } from '../../kube/reflector.io.ts';
import { type RemovalData, removalName, removalObject, removalOf } from '../../kube/removal-object.ts';
import { clusterIdOf, GENESIS_NAME, genesisObject, genesisOf, PART_OF_WEFT } from '../../kube/ring-object.ts';
import { untilGranted } from '../../kube/until-granted.io.ts';
import { Caretaker, type OwnCluster } from './caretaker.io.ts';
import { ClusterChecks } from './cluster-checks.io.ts';
import { KubernetesWarnings } from './kubernetes-warnings.ts';
import { NodeReports, type Reported } from './node-reports.io.ts';

/** Nodes that the API is asked for to find a first peer; gossip finds the others. */
const NODE_PAGE = 100;
/** ServiceCIDRs that are looked at; a cluster has one, rarely some more. */
const SERVICE_PAGE = 100;
/** Endpoints of them that are dialled, drawn at random, so that not all new nodes knock at one. */
const MAX_FOUND = 16;
/** How often the caretaker compares the ring with the nodes. */
const CARE_EVERY_MS = 5_000;
/**
 * A node that sees no peer asks the API for nodes again, ever more rarely: a new node finds this one by itself, and a
 * cluster may have no other.
 */
const ALONE_RETRY: BackoffLimits = { firstMs: 30_000, mostMs: 300_000 };

/** What the link to Kubernetes tells its node. */
interface KubernetesEvents {
  /** Endpoints where peers may be. */
  found(endpoints: readonly Endpoint[]): void;
  /** What the object that begins the ring holds. False where it is no genesis. */
  genesis(bytes: Uint8Array): boolean;
  /** All removals of peers that the API holds. */
  removals(states: readonly RemovalData[]): void;
  /** No peer is seen alive by gossip. */
  alone(): boolean;
  /** It is for this node to look for peers whose nodes are gone. */
  caretaker(): boolean;
  /** Names of all nodes of the cluster, while this node is the caretaker. Answers what is to be warned of. */
  nodes(names: ReadonlySet<string>): Warning | undefined;
  /** The genesis of the ring that this node has a part in. */
  ownGenesis(): Uint8Array | undefined;
  /** Called every few seconds: what the node would put back into this namespace is to be kept on its disk. */
  keep(namespace: string): void;
}

/** What a {@link KubernetesLink} is made of. */
interface KubernetesOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ours, for the API server's logs. */
  readonly version: string;
  readonly nodeName: string;
  /** Who enforces NetworkPolicies on this host, as far as that can be seen. */
  readonly policyEngine: () => Promise<string | undefined>;
  readonly cluster: OwnCluster;
  /** The port of peers whose addresses alone the API knows. */
  readonly port: number;
  /** The cluster's pod ranges. */
  readonly ranges: readonly Range[];
  readonly random: RandomSource;
  /** Monotonic. */
  readonly now: () => Instant;
  readonly log: Log;
  readonly events: KubernetesEvents;
}

/**
 * A node's link to the API of Kubernetes: where peers may be, how the ring begins, and which peers are removed from it.
 * Everything is level-triggered and tried again for ever; while the API is away the node goes on with what it knows
 * and what gossip tells it.
 *
 * At rest a node has one watch open, on the few objects of Weft itself. One node of the cluster is the caretaker too
 * ({@link Caretaker}).
 */
export class KubernetesLink {
  readonly #access: ApiAccess;
  readonly #client: ApiClient;
  readonly #options: KubernetesOptions;
  readonly #objects: Reflector<ConfigMap>;
  readonly #warnings: KubernetesWarnings;
  /** Weft's ConfigMaps; all lie in one namespace. */
  readonly #objectByName = new Map<string, ConfigMap>();
  #areObjectsKnown = false;
  readonly #checks: ClusterChecks;
  #caretaker: Caretaker | undefined;
  #reports: NodeReports | undefined;
  #careTimer: NodeJS.Timeout | undefined;
  #isProposingGenesis = false;
  readonly #proposals: Backoff;
  /** No removal is proposed before that. */
  #proposeAt: Instant | undefined;
  readonly #stop = new AbortController();

  /** Throws E_NO_KUBERNETES where this is no pod. */
  constructor(options: KubernetesOptions) {
    this.#options = options;
    this.#warnings = new KubernetesWarnings(options.log, options.ranges);
    this.#proposals = new Backoff(options.random);
    this.#access = inClusterAccess(options.env);
    this.#client = new ApiClient(this.#access, `weftd/${options.version}`);
    this.#objects = new Reflector({
      client: this.#client,
      path: this.#configMaps,
      labelSelector: PART_OF_WEFT,
      read: readConfigMap,
      random: options.random,
      onDelta: (delta) => {
        applyDelta(this.#objectByName, delta);
        if (this.#areObjectsKnown) this.#takeObjects();
      },
      onSynced: () => {
        this.#areObjectsKnown = true;
        this.#takeObjects();
      },
      ...this.#judging('objects'),
    });
    this.#checks = new ClusterChecks({
      client: this.#client,
      ranges: options.ranges,
      random: options.random,
      now: options.now,
      warnings: this.#warnings,
      policyEngine: options.policyEngine,
    });
  }

  /** Begins to ask, and to tell what `reported` says of this node. */
  start(reported: Reported): void {
    const { nodeName, random, now, events } = this.#options;
    this.#reports = new NodeReports({
      ...reported,
      ...{ nodeName, random, now, warnings: this.#warnings },
      client: this.#client,
      namespace: this.#access.namespace,
      isSpeaker: () => events.caretaker(),
      date: Date.now,
    });
    this.#reports.start();
    this.#checks.start();
    void this.#objects.run(); // a rejection is a bug, and ends the process
    void this.#findPeers();
    void this.#compareServices();
    this.#careTimer = setInterval(() => this.#takeCare(), CARE_EVERY_MS).unref();
  }

  close(): void {
    this.#stop.abort();
    clearInterval(this.#careTimer);
    this.#objects.stop();
    this.#checks.stop();
    this.#reports?.stop();
    this.#caretaker?.stop();
    this.#client.close();
  }

  /** What a user should know of at present, the worst first. */
  warnings(): Warning[] {
    return this.#warnings.warnings(this.#options.now());
  }

  /**
   * Creates the object that begins the ring, unless another node created it before. Either way the genesis that it holds
   * comes as an event. Tries until there is an object that is in order.
   */
  async proposeGenesis(genesis: Uint8Array, ranges: readonly string[]): Promise<void> {
    if (this.#isProposingGenesis) return;
    this.#isProposingGenesis = true;
    const { nodeName, log, cluster } = this.#options;
    const told = { clusterId: cluster.id, founder: nodeName, ranges };
    const body = genesisObject(this.#access.namespace, genesis, told);
    await this.#untilDone('genesis', async () => {
      try {
        await this.#client.request(this.#configMaps, { method: 'POST', body });
        log.info('wrote the object that tells which ring there is', { object: GENESIS_NAME });
      } catch (error) {
        if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
      }
      // Read it back: another node may have made it, or we did and the answer to our request was lost.
      const object = readConfigMap(await this.#client.request(`${this.#configMaps}/${GENESIS_NAME}`));
      if (object === undefined || !this.#takeGenesis(object))
        throw new ApiError(0, DAMAGED, 'somebody wrote something else there');
    });
    this.#isProposingGenesis = false;
  }

  /**
   * Puts a removal in place of the object that was last seen for its subject, or creates it where none was. Where
   * somebody changed it meanwhile nothing happens: what it is now comes as an event. Nor is anything asked for a while
   * after the API refused: the proposal is made again by whoever made it.
   */
  async proposeRemoval(removal: RemovalData, nameOfSubject: string): Promise<void> {
    const { now, log } = this.#options;
    if (this.#restsProposals()) return;
    const name = removalName(removal.subject);
    const version = this.#objectByName.get(name)?.resourceVersion;
    const body = removalObject(this.#access.namespace, removal, nameOfSubject, version);
    const at = version === undefined ? this.#configMaps : `${this.#configMaps}/${name}`;
    try {
      await this.#client.request(at, { method: version === undefined ? 'POST' : 'PUT', body });
      log.info('a removal goes on', { object: name, node: nameOfSubject, phase: removal.phase });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status !== 409 && error.status !== 404) {
        this.#warnings.failed('removal', error, now());
        // Several that failed at once count as one.
        if (!this.#restsProposals()) this.#proposeAt = after(now(), this.#proposals.next(error.retryAfterMs));
        return;
      }
    }
    this.#warnings.granted('removal');
    this.#proposals.reset();
  }

  #restsProposals(): boolean {
    return this.#proposeAt !== undefined && this.#options.now() < this.#proposeAt;
  }

  get #configMaps(): string {
    return `/api/v1/namespaces/${this.#access.namespace}/configmaps`;
  }

  #takeObjects(): void {
    const objects = [...this.#objectByName.values()];
    this.#options.events.removals(objects.flatMap((object) => removalOf(object) ?? []));
    const genesis = this.#objectByName.get(GENESIS_NAME);
    if (genesis !== undefined) this.#takeGenesis(genesis);
    else {
      this.#warnings.genesisSeen(undefined);
      this.#warnings.ringSeen('ours');
    }
  }

  /** True where it is a good one. */
  #takeGenesis(object: ConfigMap): boolean {
    const clusterId = clusterIdOf(object);
    const isOther = clusterId !== undefined && clusterId !== this.#options.cluster.id;
    this.#warnings.ringSeen(isOther ? 'other' : 'ours');
    if (isOther) return false;
    const bytes = genesisOf(object);
    const isGood = bytes !== undefined && this.#options.events.genesis(bytes);
    this.#warnings.genesisSeen({ resourceVersion: object.resourceVersion, isGood });
    return isGood;
  }

  /** Begins and ends to be the caretaker, and does what that one does. */
  #takeCare(): void {
    const { events } = this.#options;
    events.keep(this.#access.namespace);
    if (!events.caretaker()) {
      this.#caretaker?.stop();
      this.#caretaker = undefined;
      this.#warnings.checked('nodes', undefined);
      return;
    }
    if (this.#caretaker === undefined) {
      this.#caretaker = this.#newCaretaker();
      this.#caretaker.start();
    }
    const { nodeNames } = this.#caretaker;
    if (nodeNames !== undefined) this.#warnings.checked('nodes', events.nodes(nodeNames));
    void this.#caretaker.putBack(!this.#areObjectsKnown || this.#objectByName.has(GENESIS_NAME));
  }

  #newCaretaker(): Caretaker {
    const { random, now, log, cluster, events, nodeName, ranges } = this.#options;
    return new Caretaker({
      client: this.#client,
      namespace: this.#access.namespace,
      random,
      now,
      log,
      warnings: this.#warnings,
      cluster,
      ownGenesis: () => events.ownGenesis(),
      nodeName,
      ranges: ranges.map(formatRange),
    });
  }

  /** Asks for nodes until some were found, and again while no peer answers. */
  async #findPeers(): Promise<void> {
    const { signal } = this.#stop;
    const { events, random } = this.#options;
    const patience = new Backoff(random, ALONE_RETRY);
    while (!signal.aborted) {
      await this.#untilDone('peers', async () => {
        const list = readList(await this.#client.request(`/api/v1/nodes?limit=${NODE_PAGE}`, { signal }));
        const nodes = (list?.items ?? []).flatMap((item) => readNode(item) ?? []);
        this.#warnings.nodesSeen(nodes);
        this.#checks.nodesSeen(nodes);
        events.found(this.#endpointsOf(nodes));
      });
      let alone = false;
      do {
        await delay(patience.next(), undefined, { signal, ref: false }).catch(() => {});
        alone = events.alone();
        if (!alone) patience.reset();
      } while (!signal.aborted && !alone);
    }
  }

  #endpointsOf(nodes: readonly KubeNode[]): Endpoint[] {
    const { nodeName, port, random } = this.#options;
    const others = nodes.filter(({ name }) => name !== nodeName);
    const found = others.flatMap(({ internalIps }) =>
      internalIps.flatMap((text) => {
        const address = parseAddress(text);
        return address === undefined ? [] : [endpoint(address, port)];
      }),
    );
    return shuffle(random, found).slice(0, MAX_FOUND);
  }

  /** Holds the ranges of Services against those of pods, once: they hardly ever change. */
  async #compareServices(): Promise<void> {
    const { signal } = this.#stop;
    await this.#untilDone('services', async () => {
      try {
        const path = `${SERVICE_CIDRS}?limit=${SERVICE_PAGE}`;
        const list = readList(await this.#client.request(path, { signal }));
        this.#warnings.servicesSeen((list?.items ?? []).flatMap((item) => readServiceCidr(item) ?? []));
      } catch (error) {
        // Before Kubernetes 1.33 there is no such thing.
        if (!(error instanceof ApiError) || error.status !== 404) throw error;
      }
    });
  }

  async #untilDone(asked: Asked, act: () => Promise<void>): Promise<void> {
    const { random, now } = this.#options;
    const done = async (): Promise<void> => {
      await act();
      this.#warnings.granted(asked);
    };
    const onFault = (error: ApiError): void => {
      if (error.reason === DAMAGED) this.#warnings.granted(asked);
      else this.#warnings.failed(asked, error, now());
    };
    await untilGranted(done, { random, onFault, signal: this.#stop.signal });
  }

  /** What a reflector tells of itself. */
  #judging(asked: Asked): Pick<ReflectorOptions<ObjectMeta>, 'onFault' | 'onServed'> {
    const onFault = (error: ApiError): void => this.#warnings.failed(asked, error, this.#options.now());
    return { onFault, onServed: () => this.#warnings.granted(asked) };
  }
}

/** Keeps a map of objects that all lie in one namespace, or in none. */
function applyDelta<T extends ObjectMeta>(objectByName: Map<string, T>, delta: Delta<T>): void {
  for (const { name } of delta.gone) objectByName.delete(name);
  for (const object of [...delta.added, ...delta.changed.map(({ after }) => after)])
    objectByName.set(object.name, object);
}

const SERVICE_CIDRS = '/apis/networking.k8s.io/v1/servicecidrs';
/** Reason for trying again where the API did answer; of the object itself a user is warned in other words. */
const DAMAGED = 'Damaged';
