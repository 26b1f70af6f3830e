import { setTimeout as delay } from 'node:timers/promises';
import { parseAddress } from '../base/address.ts';
import { type Endpoint, endpoint } from '../base/endpoint.ts';
import { type RandomSource, shuffle } from '../base/random.ts';
import { ApiClient } from '../kube/api-client.io.ts';
import { ApiError } from '../kube/api-error.ts';
import { Backoff } from '../kube/backoff.ts';
import { type ApiAccess, inClusterAccess } from '../kube/in-cluster.io.ts';
import { type ConfigMap, type KubeNode, readConfigMap, readList, readNode } from '../kube/objects.ts';
import { Reflector } from '../kube/reflector.io.ts';
import { GENESIS_NAME, genesisObject, genesisOf, PART_OF_WEFT } from '../kube/ring-object.ts';
import type { Log } from './log.ts';

/** Nodes that the API is asked for to find a first peer; gossip finds the others. */
const NODE_PAGE = 100;
/** Endpoints of them that are dialled, drawn at random, so that not all new nodes knock at one. */
const MAX_FOUND = 16;
/** A node that sees no peer asks the API again after this. */
const ALONE_RETRY_MS = 30_000;

/** What the link to Kubernetes tells its node. */
export interface KubernetesEvents {
  /** Endpoints where peers may be. */
  found(endpoints: readonly Endpoint[]): void;
  /** What the object that begins the ring holds. False where it is no genesis. */
  genesis(bytes: Uint8Array): boolean;
  /** Whether gossip sees a peer alive. */
  alone(): boolean;
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
 * A node's link to the API of Kubernetes: where peers may be, and how the ring begins. Everything is level-triggered
 * and tried again for ever; while the API is away the node goes on with what it knows and what gossip tells it.
 */
export class KubernetesLink {
  readonly #access: ApiAccess;
  readonly #client: ApiClient;
  readonly #options: KubernetesOptions;
  readonly #objects: Reflector<ConfigMap>;
  readonly #stop = new AbortController();
  #fault: string | undefined;

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

  /** What does not work at present, in one line for the user. */
  get fault(): string | undefined {
    return this.#fault;
  }

  start(): void {
    this.#objects.start();
    void this.#findPeers();
  }

  stop(): void {
    this.#stop.abort();
    this.#objects.stop();
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

  get #configMaps(): string {
    return `/api/v1/namespaces/${this.#access.namespace}/configmaps`;
  }

  #take(objects: ReadonlyMap<string, ConfigMap>): void {
    this.#fault = undefined;
    const genesis = objects.get(GENESIS_NAME);
    if (genesis !== undefined) this.#takeGenesis(genesis);
  }

  #takeGenesis(object: ConfigMap): void {
    const bytes = genesisOf(object);
    if (bytes !== undefined && this.#options.events.genesis(bytes)) return;
    this.#fault = `ConfigMap ${GENESIS_NAME} holds no genesis; delete it, and a node will write it anew`;
    this.#options.log.error('the object that begins the ring is damaged', { object: GENESIS_NAME });
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

  /** Tries until it is done or we stop, ever more rarely. */
  async #untilDone(act: () => Promise<void>): Promise<void> {
    const backoff = new Backoff(this.#options.random);
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await act();
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        this.#tell(error);
        await delay(backoff.next(error.retryAfterMs), undefined, { signal, ref: false }).catch(() => {});
      }
    }
  }

  #tell(error: ApiError): void {
    const { log } = this.#options;
    const remedy = REMEDY_BY_STATUS[error.status] ?? 'what is known stays in use meanwhile';
    this.#fault = `the API of Kubernetes: ${error.message}; ${remedy}`;
    log.warn('the API of Kubernetes does not serve', { status: error.status, reason: error.reason, remedy });
    log.debug('the API of Kubernetes said', { message: error.message });
  }
}

const REMEDY_BY_STATUS: Readonly<Record<number, string>> = {
  401: 'the token of the pod is no longer good: see that the kubelet renews it',
  403: 'apply the manifest again: the service account lacks a permission',
  429: 'the server is busy; what is known stays in use meanwhile',
};
