import { setTimeout as delay } from 'node:timers/promises';
import { parseAddress } from '../base/address.ts';
import { type Endpoint, endpoint } from '../base/endpoint.ts';
import { type RandomSource, shuffle } from '../base/random.ts';
import { ApiClient } from '../kube/api-client.io.ts';
import { ApiError } from '../kube/api-error.ts';
import { type ApiAccess, inClusterAccess } from '../kube/in-cluster.io.ts';
import {
  type ConfigMap,
  type KubeNode,
  type ObjectMeta,
  readConfigMap,
  readList,
  readMeta,
  readNode,
} from '../kube/objects.ts';
import { Reflector } from '../kube/reflector.io.ts';
import { type RemovalData, removalName, removalObject, removalOf } from '../kube/removal-object.ts';
import { GENESIS_NAME, genesisObject, genesisOf, PART_OF_WEFT } from '../kube/ring-object.ts';
import { untilGranted } from '../kube/until-granted.io.ts';
import type { Log } from './log.ts';

/** Nodes that the API is asked for to find a first peer; gossip finds the others. */
const NODE_PAGE = 100;
/** Endpoints of them that are dialled, drawn at random, so that not all new nodes knock at one. */
const MAX_FOUND = 16;
/** How often the caretaker compares the ring with the nodes. */
const CARE_EVERY_MS = 5_000;
/** A node that sees no peer asks the API again after this. */
const ALONE_RETRY_MS = 30_000;

/** What the link to Kubernetes tells its node. */
export interface KubernetesEvents {
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
  /** Names of all nodes of the cluster, while this node is the caretaker. */
  nodes(names: ReadonlySet<string>): void;
}

/** What a {@link KubernetesLink} is made of. */
export interface KubernetesOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ours, for the API server's logs. */
  readonly version: string;
  readonly nodeName: string;
  /** The port of peers whose addresses alone the API knows. */
  readonly port: number;
  readonly random: RandomSource;
  readonly log: Log;
  readonly events: KubernetesEvents;
}

/**
 * A node's link to the API of Kubernetes: where peers may be, how the ring begins, and which peers are removed from it.
 * Everything is level-triggered and tried again for ever; while the API is away the node goes on with what it knows
 * and what gossip tells it.
 *
 * At rest a node has one watch open, on the few objects of Weft itself. One node of the cluster, the caretaker, watches
 * the nodes too.
 */
export class KubernetesLink {
  readonly #access: ApiAccess;
  readonly #client: ApiClient;
  readonly #options: KubernetesOptions;
  readonly #objects: Reflector<ConfigMap>;
  #objectByName: ReadonlyMap<string, ConfigMap> = new Map();
  #nodes: Reflector<ObjectMeta> | undefined;
  /** Undefined until they were listed, and while this node is not the caretaker. */
  #nodeNames: ReadonlySet<string> | undefined;
  #careTimer: NodeJS.Timeout | undefined;
  readonly #stop = new AbortController();

  /** Throws E_NO_KUBERNETES where this is no pod. */
  constructor(options: KubernetesOptions) {
    this.#options = options;
    this.#access = inClusterAccess(options.env);
    this.#client = new ApiClient(this.#access, `weftd/${options.version}`);
    this.#objects = new Reflector({
      client: this.#client,
      path: this.#configMaps,
      selector: PART_OF_WEFT,
      read: readConfigMap,
      random: options.random,
      onChange: (objects) => this.#take(objects),
      onFault: (error) => this.#tell(error),
    });
  }

  start(): void {
    this.#objects.start();
    void this.#findPeers();
    this.#careTimer = setInterval(() => this.#takeCare(), CARE_EVERY_MS).unref();
  }

  stop(): void {
    this.#stop.abort();
    clearInterval(this.#careTimer);
    this.#objects.stop();
    this.#nodes?.stop();
    this.#client.close();
  }

  /** Creates the object that begins the ring, unless somebody else did; which one it is comes as an event. */
  async proposeGenesis(genesis: Uint8Array, ranges: readonly string[]): Promise<void> {
    const { nodeName, log } = this.#options;
    const body = genesisObject(this.#access.namespace, genesis, { founder: nodeName, ranges });
    await this.#untilDone(async () => {
      try {
        await this.#client.request(this.#configMaps, { method: 'POST', body });
        log.info('began the ring of addresses', { object: GENESIS_NAME });
      } catch (error) {
        if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error;
      }
      // What is there now counts, whoever made it: also where the answer to our own request was lost.
      const object = readConfigMap(await this.#client.request(`${this.#configMaps}/${GENESIS_NAME}`));
      if (object !== undefined) this.#takeGenesis(object);
    });
  }

  /**
   * Puts a removal in place of the object that was last seen for its subject, or creates it where none was. Where
   * somebody changed it meanwhile nothing happens: what it is now comes as an event.
   */
  async proposeRemoval(removal: RemovalData, nameOfSubject: string): Promise<void> {
    const { namespace } = this.#access;
    const name = removalName(removal.subject);
    const version = this.#objectByName.get(name)?.resourceVersion;
    const body = removalObject(namespace, removal, nameOfSubject, version);
    const at = version === undefined ? this.#configMaps : `${this.#configMaps}/${name}`;
    try {
      await this.#client.request(at, { method: version === undefined ? 'POST' : 'PUT', body });
      const { phase } = removal;
      this.#options.log.info('a removal goes on', { object: name, node: nameOfSubject, phase });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status !== 409 && error.status !== 404) this.#tell(error);
    }
  }

  get #configMaps(): string {
    return `/api/v1/namespaces/${this.#access.namespace}/configmaps`;
  }

  #take(objects: ReadonlyMap<string, ConfigMap>): void {
    this.#objectByName = new Map(objects);
    this.#options.events.removals([...objects.values()].flatMap((object) => removalOf(object) ?? []));
    const genesis = objects.get(GENESIS_NAME);
    if (genesis !== undefined) this.#takeGenesis(genesis);
  }

  #takeGenesis(object: ConfigMap): void {
    const bytes = genesisOf(object);
    if (bytes !== undefined && this.#options.events.genesis(bytes)) return;
    this.#options.log.error('the object that begins the ring is damaged', { object: GENESIS_NAME });
  }

  /** Watches the nodes while that is for us to do. */
  #takeCare(): void {
    const { random, events } = this.#options;
    if (!events.caretaker()) {
      this.#nodes?.stop();
      this.#nodes = undefined;
      this.#nodeNames = undefined;
    } else if (this.#nodes === undefined) {
      this.#nodes = new Reflector({
        client: this.#client,
        path: '/api/v1/nodes',
        selector: '',
        metadataOnly: true,
        read: readMeta,
        random,
        onChange: (nodes) => {
          this.#nodeNames = new Set(nodes.keys());
        },
        onFault: (error) => this.#tell(error),
      });
      this.#nodes.start();
    }
    if (this.#nodeNames !== undefined) events.nodes(this.#nodeNames);
  }

  /** Asks for nodes until some were found, and again while no peer answers. */
  async #findPeers(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#untilDone(async () => {
        const list = readList(await this.#client.request(`/api/v1/nodes?limit=${NODE_PAGE}`, { signal }));
        const nodes = (list?.items ?? []).flatMap((item) => readNode(item) ?? []);
        this.#options.events.found(this.#endpointsOf(nodes));
      });
      do await delay(ALONE_RETRY_MS, undefined, { signal, ref: false }).catch(() => {});
      while (!signal.aborted && !this.#options.events.alone());
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

  async #untilDone(act: () => Promise<void>): Promise<void> {
    const { random } = this.#options;
    const onFault = (error: ApiError): void => this.#tell(error);
    await untilGranted(act, { random, onFault, signal: this.#stop.signal });
  }

  #tell(error: ApiError): void {
    const { log } = this.#options;
    const remedy = REMEDY_BY_STATUS[error.status] ?? 'what is known stays in use meanwhile';
    log.warn('the API of Kubernetes does not serve', { status: error.status, reason: error.reason, remedy });
    log.debug('the API of Kubernetes said', { message: error.message });
  }
}

const REMEDY_BY_STATUS: Readonly<Record<number, string>> = {
  401: 'the token of the pod is no longer good: see that the kubelet renews it',
  403: 'apply the manifest again: the service account lacks a permission',
  429: 'the server is busy; what is known stays in use meanwhile',
};
