import { WeftError } from '../../base/weft-error.ts';
import type { ControlRequest, ReportResult } from '../../control/control-protocol.ts';
import type {
  FlowEnd,
  FlowRow,
  FlowsResult,
  FlowTotalRow,
  FlowTotalsResult,
} from '../../control/flow-request.ts';
import type { NpcRequest, PolicyExplainResult, PolicyStatusResult } from '../../control/npc-request.ts';
import type { PeersResult } from '../../control/peer-status.ts';
import type { ClusterTunnelsResult } from '../../control/tunnels-request.ts';
import type { AskedPrograms } from '../../ui/picture-source.io.ts';
import { seededRandom } from '../seeded-random.ts';

/** How large it is; what is absent is as in a small shop of three nodes. */
export interface ClusterSize {
  readonly nodes: number;
  readonly workloads: number;
  readonly namespaces: number;
  readonly seed?: number;
}

interface Workload {
  readonly namespace: string;
  readonly name: string;
  readonly pods: readonly FlowEnd[];
}

interface Talk {
  readonly source: FlowEnd | null;
  readonly target: FlowEnd;
  readonly port: number;
  readonly service: string | null;
  readonly bytesPerS: number;
  readonly beganPerS: number;
  readonly deniedPerS: number;
  readonly policies: readonly string[];
}

/** Names of namespaces and their workloads, who talks to whom: [from, to, port, kB a second]. */
const SHOP = {
  shop: ['web', 'cart', 'checkout', 'catalog', 'search', 'payment', 'db', 'cache'],
  identity: ['login', 'sessions', 'ldap'],
  analytics: ['collector', 'spark', 'reports'],
  monitoring: ['prometheus', 'grafana', 'node-exporter', 'loki'],
  'kube-system': ['coredns', 'metrics-server'],
} as const;
const SHOP_TALKS = [
  ['shop/web', 'shop/cart', 8080, 420],
  ['shop/web', 'shop/catalog', 8080, 2600],
  ['shop/web', 'shop/search', 9200, 900],
  ['shop/web', 'identity/login', 8443, 140],
  ['shop/cart', 'shop/cache', 6379, 320],
  ['shop/cart', 'shop/checkout', 8080, 90],
  ['shop/checkout', 'shop/payment', 8443, 30],
  ['shop/checkout', 'shop/db', 5432, 210],
  ['shop/catalog', 'shop/db', 5432, 5200],
  ['shop/search', 'shop/db', 5432, 760],
  ['shop/payment', 'shop/db', 5432, 16],
  ['identity/login', 'identity/sessions', 6379, 60],
  ['identity/login', 'identity/ldap', 636, 20],
  ['shop/web', 'analytics/collector', 4318, 480],
  ['analytics/collector', 'analytics/spark', 7077, 31000],
  ['analytics/spark', 'analytics/reports', 8080, 24],
  ['monitoring/prometheus', 'shop/web', 9090, 14],
  ['monitoring/prometheus', 'shop/db', 9187, 11],
  ['monitoring/prometheus', 'analytics/spark', 9090, 17],
  ['monitoring/prometheus', 'monitoring/node-exporter', 9100, 44],
  ['monitoring/grafana', 'monitoring/prometheus', 9090, 70],
  ['monitoring/grafana', 'monitoring/loki', 3100, 210],
  ['shop/web', 'kube-system/coredns', 53, 3],
  ['shop/checkout', 'kube-system/coredns', 53, 2],
  ['identity/login', 'kube-system/coredns', 53, 1],
] as const;
/** Denied: [from, to, port, packets a second, policy]. */
const SHOP_DENIALS = [
  ['analytics/spark', 'shop/db', 5432, 3.2, 'NetworkPolicy shop/db-clients'],
  ['shop/cart', 'shop/payment', 8443, 0.4, 'NetworkPolicy shop/payment-only-checkout'],
] as const;

const SAFE = 'bcdfghjklmnpqrstvwxz2456789';
const SUITE = 'AES-256-GCM';
export const SELF_NAME = 'node-1';

/**
 * A cluster that is only talked about: it answers as weftd and weft-npc do, of hundreds of nodes that no test can start. The
 * same for the same seed.
 */
export class PretendedCluster {
  readonly nodes: readonly { readonly name: string; readonly peerId: string }[];
  readonly #random: ReturnType<typeof seededRandom>;
  readonly #talks: Talk[] = [];
  /** Why weftd does not answer, while it does not. */
  away: string | undefined;
  #peerBytes = 0;
  #lastDropAt = 0;

  constructor({ nodes, workloads, namespaces, seed = 14 }: ClusterSize) {
    this.#random = seededRandom(seed);
    this.nodes = Array.from({ length: nodes }, (_, i) => ({
      name: `node-${i + 1}`,
      peerId: i.toString(16).padStart(64, '0'),
    }));
    if (workloads === 0) this.#fillShop();
    else this.#fillLarge(workloads, namespaces);
  }

  /** Adds one pair that talks, as if pods of it had just been started. */
  addTalk(from: string, to: string, bytesPerS = 50_000): void {
    this.#talk(this.#workload(from, 1), this.#workload(to, 1), 80, bytesPerS);
  }

  /** The programs of `node-1`, at the present time. */
  get asked(): AskedPrograms {
    return {
      weftd: (async (request: ControlRequest, signal?: AbortSignal) => {
        if (this.away !== undefined) throw new WeftError('E_NO_DAEMON', this.away, 'look whether it runs');
        if (request.op === 'flows') return this.#nextDrops(signal);
        return this.weftd(request, Date.now());
      }) as AskedPrograms['weftd'],
      npc: (async (request: NpcRequest) => this.npc(request)) as AskedPrograms['npc'],
    };
  }

  weftd(
    request: ControlRequest,
    atMs: number,
  ): ReportResult | PeersResult | ClusterTunnelsResult | FlowTotalsResult | FlowsResult {
    if (request.op === 'report') return this.#report(atMs);
    if (request.op === 'peers') return this.#peers(atMs);
    if (request.op === 'clusterTunnels') return this.#othersTunnels(atMs);
    if (request.op === 'flowTotals') return this.#totals(atMs, request.seconds);
    if (request.op === 'flows') return this.#drops(atMs);
    throw new WeftError('E_REQUEST', `nobody expects ${request.op}`, '');
  }

  npc(request: NpcRequest): PolicyStatusResult | PolicyExplainResult {
    if (request.op === 'policyExplain') return explained(request.source, request.destination, request.with);
    return {
      ...{ node: SELF_NAME, version: '0.1.0', attached: 12, waiting: [], addsWaitedMs: 0, counters: {} },
      copy: { complete: true, forS: 60, kinds: [] },
      loaded: { pods: 7, sets: 4, chains: 9, rules: 31, lastApplyMs: 3, applyP99Ms: 11 },
      unhonoured: [
        {
          policy: 'NetworkPolicy shop/legacy',
          reasons: ['port "metrics" is the name of no port of the pods that it selects'],
        },
      ],
      problems: [],
    };
  }

  #fillShop(): void {
    const known = new Map<string, Workload>();
    for (const [namespace, names] of Object.entries(SHOP))
      for (const name of names)
        known.set(
          `${namespace}/${name}`,
          this.#workload(`${namespace}/${name}`, name === 'web' ? 4 : 1 + this.#below(3)),
        );
    for (const [from, to, port, kilobytes] of SHOP_TALKS)
      this.#talk(known.get(from)!, known.get(to)!, port, kilobytes * 1000);
    for (const [from, to, port, deniedPerS, policy] of SHOP_DENIALS)
      this.#deny(known.get(from)!, known.get(to)!, port, deniedPerS, policy);
    const web = known.get('shop/web')!;
    for (const pod of web.pods)
      this.#talks.push({ ...QUIET, source: null, target: pod, port: 443, bytesPerS: 700_000, beganPerS: 11 });
    const payment = known.get('shop/payment')!.pods[0]!;
    const bank = { address: '203.0.113.40', port: 443, pod: null, node: null, isNode: false };
    this.#talks.push({
      ...QUIET,
      source: payment,
      target: bank,
      port: 443,
      bytesPerS: 9_000,
      beganPerS: 0.8,
    });
    const prometheus = known.get('monitoring/prometheus')!.pods[0]!;
    for (const { name } of this.nodes.slice(0, 3)) {
      const host = {
        address: `10.32.0.${name.split('-')[1]}`,
        port: 10250,
        pod: null,
        node: name,
        isNode: true,
      };
      this.#talks.push({
        ...QUIET,
        source: prometheus,
        target: host,
        port: 10250,
        bytesPerS: 21_000,
        beganPerS: 0.1,
      });
    }
  }

  #fillLarge(workloads: number, namespaces: number): void {
    const all = Array.from({ length: workloads }, (_, i) =>
      this.#workload(`team-${1 + (i % namespaces)}/service-${1 + Math.floor(i / namespaces)}`, 1),
    );
    // Each talks to somebody, most of them in their own namespace.
    all.forEach((source, i) => {
      for (let k = 0; k < (i % 5 === 0 ? 3 : 1); k++) {
        const isNear = this.#below(10) < 8;
        const target = isNear
          ? all[(i + namespaces * (1 + this.#below(6))) % workloads]!
          : all[this.#below(workloads)]!;
        if (target === source) continue;
        if (this.#below(40) === 0)
          this.#deny(source, target, 8080, 1, `NetworkPolicy ${target.namespace}/closed`);
        else this.#talk(source, target, 8080, 10 ** (2 + this.#below(6)));
      }
    });
  }

  #workload(path: string, pods: number): Workload {
    const [namespace = '', name = ''] = path.split('/', 2);
    const template = this.#letters(10);
    return {
      namespace,
      name,
      pods: Array.from({ length: pods }, () => this.#pod(`${path}-${template}-${this.#letters(5)}`)),
    };
  }

  #pod(pod: string): FlowEnd {
    const at = this.#below(this.nodes.length);
    const address = `10.${32 + (at >> 8)}.${at & 255}.${2 + this.#below(250)}`;
    return { address, port: null, pod, node: this.nodes[at]!.name, isNode: false };
  }

  #talk(from: Workload, to: Workload, port: number, bytesPerS: number): void {
    const service = `10.96.${this.#below(255)}.${1 + this.#below(250)}`;
    from.pods.forEach((source, i) => {
      const target = to.pods[i % to.pods.length]!;
      const share = { bytesPerS: bytesPerS / from.pods.length, beganPerS: 0.2 + this.#below(40) / 10 };
      this.#talks.push({ ...QUIET, source, target, port, service, ...share });
    });
  }

  #deny(from: Workload, to: Workload, port: number, deniedPerS: number, policy: string): void {
    this.#talks.push({
      ...QUIET,
      source: from.pods[0]!,
      target: to.pods[0]!,
      port,
      deniedPerS,
      policies: [policy],
    });
  }

  #totals(atMs: number, seconds: number): FlowTotalsResult {
    const rows = this.#talks.map(({ source, target, port, service, ...talk }, i): FlowTotalRow => {
      const wave = waveOf(atMs, i);
      return {
        ...{ source, target, port, service, protocol: port === 53 ? 'UDP' : 'TCP' },
        open: talk.beganPerS > 0 ? 1 + (i % 7) : 0,
        began: Math.round(talk.beganPerS * wave * seconds),
        drops: Math.round(talk.deniedPerS * seconds),
        sentBytes: Math.round(talk.bytesPerS * 0.2 * wave * seconds),
        receivedBytes: Math.round(talk.bytesPerS * 0.8 * wave * seconds),
      };
    });
    return {
      node: SELF_NAME,
      seconds,
      rows,
      others: null,
      counted: true,
      notes: [],
      nodes: this.nodes.length,
      silent: [],
    };
  }

  #peers(atMs: number): PeersResult {
    this.#peerBytes += 1_000_000;
    const relay = this.nodes[1]?.name ?? null;
    return {
      peers: this.nodes.slice(1).map(({ name, peerId }, i) => {
        const state = i % 97 === 96 ? 'dead' : i % 53 === 2 ? 'idle' : 'connected';
        const isRelayed = i % 19 === 3;
        const endpoint = `192.0.2.${1 + (i % 250)}:6783`;
        const rttMs = 0.2 + ((i * 37) % 100) / 40 + 0.1 * waveOf(atMs, i) + (isRelayed ? 2 : 0);
        return {
          ...{ name, peerId, state, suite: SUITE, mtu: isRelayed ? 1352 : 1420, mtuConfirmed: i % 7 !== 3 },
          endpoint: state === 'connected' && !isRelayed ? endpoint : null,
          via: state === 'connected' && isRelayed ? relay : null,
          datapath: i % 11 === 3 ? 'sleeve' : 'fast',
          rttMs: state === 'connected' ? Math.round(rttMs * 100) / 100 : null,
          sentBytes: this.#peerBytes * (1 + (i % 5)),
          receivedBytes: this.#peerBytes * (1 + (i % 3)),
          ...{ version: '0.1.0', endpoints: [endpoint], addresses: [`10.32.${i >> 8}.${i & 255}`] },
          link: i % 3 === 0 ? ('ours' as const) : null,
        };
      }),
      seeds: [],
    };
  }

  /** Each node to the two after it; the third from the one before the last is relayed. */
  #othersTunnels(atMs: number): ClusterTunnelsResult {
    const { peers } = this.#peers(atMs);
    const tunnels = peers.flatMap(({ peerId: from }, i) =>
      [1, 2].flatMap((step) => {
        const { name, version, endpoints, addresses, ...to } = peers[(i + step) % peers.length]!;
        const isRelayed = i % 19 === 1 && step === 2;
        const way = isRelayed ? { endpoint: null, via: SELF_NAME } : { endpoint: endpoints[0]!, via: null };
        return to.peerId === from ? [] : [{ ...to, from, state: 'connected' as const, rttMs: 0.4, ...way }];
      }),
    );
    return { tunnels, more: 0, nodes: peers.length, silent: [] };
  }

  #report(atMs: number): ReportResult {
    const { name, peerId } = this.nodes[0]!;
    const seconds = atMs / 1000;
    return {
      status: {
        ...{ name, peerId, version: '0.1.0', addresses: ['10.32.0.1'], peers: [] },
        ipam: { state: 'ready', detail: '', ranges: [], owned: 8192, used: 12, families: {} },
        problems: [
          {
            code: 'W_CNI_OTHER_FIRST',
            severity: 'warning',
            message:
              "the CNI configuration '05-other.conflist' sorts before Weft's, so new pods are not attached by Weft",
            remedy: 'take it away, or give weftd --cni-config a name that sorts before it',
          },
        ],
      },
      settings: {
        ...{ ranges: [], port: 6783, stateDir: '/', masquerade: true, cniConfig: null },
        ...{ cniBinDir: '/', sysctlDir: '/' },
      },
      peers: this.#peers(atMs),
      counters: {
        'datapath.inForged': Math.floor(seconds * 0.6),
        'datapath.outUnsent': Math.floor(0.15 * (seconds - 60 * Math.cos(seconds / 60))),
      },
      gauges: {},
    } as unknown as ReportResult;
  }

  #drops(atMs: number): FlowsResult {
    const rows = this.#talks
      .filter(({ deniedPerS, source }) => deniedPerS > 0 && source !== null)
      .slice(0, 12)
      .map(
        ({ source, target, port, policies }): FlowRow => ({
          ...{ kind: 'drop', at: atMs, verdict: 'dropped', protocol: 'TCP', way: 'ingress', policies },
          source: source!,
          target: { ...target, port },
        }),
      );
    return {
      node: SELF_NAME,
      rows,
      cursor: 'c',
      lost: 0,
      more: 0,
      counted: true,
      recording: true,
      notes: [],
    };
  }

  /** As weftd does it: some at once, and then when there are more. */
  async #nextDrops(signal: AbortSignal | undefined): Promise<FlowsResult> {
    const restMs = this.#lastDropAt + 2_000 - Date.now();
    if (restMs > 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, restMs);
        timer.unref();
        signal?.addEventListener('abort', () => resolve(), { once: true });
      });
    this.#lastDropAt = Date.now();
    return this.#drops(this.#lastDropAt);
  }

  #below(most: number): number {
    const [a = 0, b = 0] = this.#random.bytes(2);
    return (a * 256 + b) % most;
  }

  #letters(length: number): string {
    return Array.from({ length }, () => SAFE[this.#below(SAFE.length)]).join('');
  }
}

const QUIET = { service: null, bytesPerS: 0, beganPerS: 0, deniedPerS: 0, policies: [] } as const;

/** Between 0.5 and 1.5, slowly up and down. */
function waveOf(atMs: number, phase: number): number {
  return 1 + 0.35 * Math.sin(atMs / 47_000 + phase) + 0.15 * Math.sin(atMs / 9_000 + phase * 2.3);
}

function explained(source: string, destination: string, tried: string | undefined): PolicyExplainResult {
  const end = (text: string) => ({ text, pod: text, node: SELF_NAME, addresses: [] });
  const passes = tried !== undefined;
  const because = passes
    ? 'rule 0 of NetworkPolicy shop/db-clients allows it'
    : 'NetworkPolicy shop/db-clients selects the pod, and no rule allows it';
  return {
    ...{
      source: end(source),
      destination: end(destination),
      protocol: 'TCP',
      port: 5432,
      passes,
      unhonoured: [],
    },
    egress: { passes: true, because: 'no policy selects the pod', rule: null, selecting: [] },
    ingress: { passes, because, rule: null, selecting: [] },
  };
}
