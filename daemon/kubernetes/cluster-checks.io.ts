import { setTimeout as delay } from 'node:timers/promises';
import type { Instant } from '../../base/instant.ts';
import { type RandomSource, randomBelow } from '../../base/random.ts';
import type { Range } from '../../base/range.ts';
import { type Warning, warningOf } from '../../base/warning.ts';
import { HOST_LINK_PREFIX } from '../../cni/host-link-name.ts';
import type { ApiClient } from '../../kube/api-client.io.ts';
import { ApiError } from '../../kube/api-error.ts';
import { Backoff } from '../../kube/backoff.ts';
import {
  kubeProxyModeWarning,
  kubeProxyWarning,
  podCidrWarning,
  readKubeProxyConfig,
} from '../../kube/kube-proxy.ts';
import { type KubeNode, readCount } from '../../kube/objects.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';
import type { KubernetesWarnings } from './kubernetes-warnings.ts';

/**
 * Not imported: for an import Node.js looks at every name that `node:http` has, and a look at some of them loads a client of
 * HTTP/2 and `fetch`, which nothing here uses (`docs/adr/0009-start-up.md`).
 */
const { get } = process.getBuiltinModule('node:http');

/** Where a kube-proxy tells its configuration, unless its `metricsBindAddress` is another one. */
const KUBE_PROXY = 'http://127.0.0.1:10249/configz';
/** Between two questions to it, which is on this very host. */
const KUBE_PROXY_EVERY_MS = 20_000;
const KUBE_PROXY_TIMEOUT_MS = 2_000;
const MAX_ANSWER_BYTES = 256 * 1024;

const POLICIES = '/apis/networking.k8s.io/v1/networkpolicies?limit=1';
/** Between two questions of each node to the API server: spread, since all nodes ask. */
const POLICIES_EVERY_MS = { least: 240_000, spread: 120_000 } as const;

/** What {@link ClusterChecks} need. */
interface ClusterChecksOptions {
  readonly client: ApiClient;
  readonly ranges: readonly Range[];
  readonly random: RandomSource;
  readonly now: () => Instant;
  readonly warnings: KubernetesWarnings;
  /** Who enforces NetworkPolicies on this host; undefined where nobody is known. */
  readonly policyEngine: () => Promise<string | undefined>;
  /** For tests. */
  readonly kubeProxyUrl?: string;
  readonly everyMs?: number;
}

/** Looks again and again at what else of the cluster must fit to Weft, and warns where it does not. */
export class ClusterChecks {
  readonly #options: ClusterChecksOptions;
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  #nodes: readonly KubeNode[] = [];

  constructor(options: ClusterChecksOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.random);
  }

  /** Looks until {@link stop}. What rejects there is a bug, and ends the process. */
  start(): void {
    const { random, everyMs } = this.#options;
    void this.#repeat(
      () => this.#checkKubeProxy(),
      () => everyMs ?? KUBE_PROXY_EVERY_MS,
    );
    void this.#repeat(
      () => this.#checkPolicies(),
      () => everyMs ?? POLICIES_EVERY_MS.least + randomBelow(random, POLICIES_EVERY_MS.spread),
    );
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Nodes as the API has them. */
  nodesSeen(nodes: readonly KubeNode[]): void {
    this.#nodes = nodes;
  }

  /** `check` answers how soon it should be made again where that is not after the usual pause. */
  async #repeat(check: () => Promise<number | undefined>, pauseMs: () => number): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const soonMs = await check();
      await delay(soonMs ?? pauseMs(), undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #checkKubeProxy(): Promise<undefined> {
    const { ranges, warnings, policyEngine, kubeProxyUrl = KUBE_PROXY } = this.#options;
    const config = readKubeProxyConfig(await ask(kubeProxyUrl, this.#stop.signal));
    const found =
      config === undefined
        ? podCidrWarning(this.#nodes, ranges)
        : kubeProxyWarning(config, ranges, HOST_LINK_PREFIX);
    warnings.checked('kube-proxy', found);
    // Only asked for where it matters: it reads the names of all chains of the host.
    const engine = config?.mode === 'ipvs' ? await policyEngine() : undefined;
    warnings.checked('kube-proxy mode', config && kubeProxyModeWarning(config, engine));
  }

  async #checkPolicies(): Promise<number | undefined> {
    const { client, warnings, now, policyEngine } = this.#options;
    const { signal } = this.#stop;
    try {
      const count = readCount(await client.request(POLICIES, { signal })) ?? 0;
      warnings.granted('policies');
      this.#backoff.reset();
      const isEnforced = count === 0 || (await policyEngine()) !== undefined;
      warnings.checked('policies', isEnforced ? undefined : unenforced(count));
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof ApiError)) throw error;
      warnings.failed('policies', error, now());
      return this.#backoff.next(error.retryAfterMs);
    }
    return undefined;
  }
}

function unenforced(count: number): Warning {
  const policies =
    count === 1 ? 'the NetworkPolicy of this cluster is' : `the ${count} NetworkPolicies of this cluster are`;
  return warningOf(DAEMON_WARNINGS, 'W_POLICIES_UNENFORCED', { policies });
}

/** The JSON of an answer; undefined where none came: nobody listens there, or it is somebody else. */
function ask(url: string, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    const nothing = (): void => resolve(undefined);
    const request = get(url, { signal, timeout: KUBE_PROXY_TIMEOUT_MS, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
        if (text.length > MAX_ANSWER_BYTES) answer.destroy();
      });
      answer.on('close', () => {
        try {
          resolve(answer.complete ? JSON.parse(text) : undefined);
        } catch {
          nothing();
        }
      });
      answer.on('error', nothing);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', nothing);
  });
}
