import { after, type Instant } from '../../base/instant.ts';
import { WeftError } from '../../base/weft-error.ts';
import { askNpc } from '../../control/ask-npc.io.ts';
import { MAX_NAMED_ADDRESSES, type NamedPod } from '../../control/npc-request.ts';

/** How long a name counts. The address of a pod that went may be another one's soon after. */
const KEEP_MS = 10_000;
/** Addresses whose names are kept. */
const MAX_NAMES = 8_192;
/** A name is waited for so long: rows come without it rather than late. */
const PATIENCE_MS = 500;
/** A weft-npc that does not answer is left alone for so long. */
const AWAY_MS = 5_000;

interface Known {
  readonly pod: NamedPod | undefined;
  readonly until: Instant;
}

/** The names of pods, as weft-npc knows them; and as the gate knows them, of those of this node, where it does not answer. */
export class FlowNames {
  readonly #runDir: string;
  /** `namespace/name` by address, of the pods of this node. */
  readonly #ownPods: () => ReadonlyMap<string, string>;
  readonly #now: () => Instant;
  readonly #knownByAddress = new Map<string, Known>();
  #awayUntil: Instant | undefined;

  constructor(options: {
    readonly runDir: string;
    readonly ownPods: () => ReadonlyMap<string, string>;
    readonly now: () => Instant;
  }) {
    this.#runDir = options.runDir;
    this.#ownPods = options.ownPods;
    this.#now = options.now;
  }

  /** Whether weft-npc did not answer when it was asked last. */
  get isAway(): boolean {
    return this.#awayUntil !== undefined;
  }

  /** Finds out whose these addresses are, as far as that is known in time. Never rejects. */
  async learn(addresses: Iterable<string>): Promise<void> {
    const now = this.#now();
    const unknown = [...addresses].filter((address) => {
      const known = this.#knownByAddress.get(address);
      return known === undefined || known.until <= now;
    });
    if (unknown.length === 0 || (this.#awayUntil !== undefined && now < this.#awayUntil)) return;
    for (let first = 0; first < unknown.length; first += MAX_NAMED_ADDRESSES) {
      const asked = unknown.slice(first, first + MAX_NAMED_ADDRESSES);
      const request = { op: 'podNames', addresses: asked } as const;
      try {
        const { pods } = await askNpc(this.#runDir, request, { timeoutMs: PATIENCE_MS });
        this.#awayUntil = undefined;
        this.#keep(asked, pods);
      } catch (error) {
        if (!(error instanceof WeftError)) throw error;
        this.#awayUntil = after(this.#now(), AWAY_MS);
        return;
      }
    }
  }

  /** `namespace/name`. */
  podName(address: string): string | undefined {
    const pod = this.#knownByAddress.get(address)?.pod;
    return pod === undefined ? this.#ownPods().get(address) : `${pod.namespace}/${pod.name}`;
  }

  labelsOf(address: string): Readonly<Record<string, string>> | undefined {
    return this.#knownByAddress.get(address)?.pod?.labels;
  }

  #keep(asked: readonly string[], pods: readonly NamedPod[]): void {
    const until = after(this.#now(), KEEP_MS);
    const podByAddress = new Map(pods.map((pod) => [pod.address, pod]));
    for (const address of asked) {
      this.#knownByAddress.delete(address);
      this.#knownByAddress.set(address, { pod: podByAddress.get(address), until });
    }
    for (const oldest of this.#knownByAddress.keys()) {
      if (this.#knownByAddress.size <= MAX_NAMES) return;
      this.#knownByAddress.delete(oldest);
    }
  }
}
