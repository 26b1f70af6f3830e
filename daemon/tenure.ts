import type { Instant } from '../base/instant.ts';
import { WeftError } from '../base/weft-error.ts';

/**
 * A weftd that took the node back because its successor failed keeps it for so long: else a successor that fails again
 * and again would interrupt the node each time.
 */
export const KEEP_AFTER_RETURN_MS = 60_000;

/** The time in which one weftd serves a node, and on which conditions it ends for another. */
export class Tenure {
  readonly #options: TenureOptions;

  constructor(options: TenureOptions) {
    this.#options = options;
  }

  /**
   * Ends it for a weftd of the cluster `cluster`. Throws E_NOT_SHARED, E_STATE_CLUSTER, E_TOO_SOON, or what the
   * rehearsal throws, where it stays; what the error says is what the other one ends with.
   */
  yieldTo(cluster: string, now: Instant): void {
    const { shared, clusterId, returnedAt, rehearse, onYield } = this.#options;
    if (!shared) {
      const remedy = 'stop it first, or start both with --take-over';
      throw new WeftError('E_NOT_SHARED', 'the weftd that serves this node makes room for no other', remedy);
    }
    if (cluster !== clusterId) {
      const ids = `${clusterId.slice(0, 8)}…, the secret is of ${cluster.slice(0, 8)}…`;
      const remedy = "give that cluster's secret, or run one weftd alone on a node";
      throw new WeftError('E_STATE_CLUSTER', `the weftd that serves this node is of cluster ${ids}`, remedy);
    }
    const keptMs = returnedAt === undefined ? Number.POSITIVE_INFINITY : now - returnedAt;
    if (keptMs < KEEP_AFTER_RETURN_MS) {
      const message = `the weftd that serves this node took it back ${Math.round(keptMs / 1000)} s ago, for its successor failed`;
      const remedy = `see the log of that one (kubectl logs --previous); it makes room again ${KEEP_AFTER_RETURN_MS / 1000} s after that`;
      throw new WeftError('E_TOO_SOON', message, remedy);
    }
    rehearse();
    onYield();
  }
}

/** What a {@link Tenure} is made of. */
export interface TenureOptions {
  /** It was started with `--take-over`. */
  readonly shared: boolean;
  /** 32 hex digits. */
  readonly clusterId: string;
  /** When it took the node back from a successor; undefined where it came as one itself. */
  readonly returnedAt: Instant | undefined;
  /** Does on trial what the other one's start needs of the disk; throws where that would fail, for it and for us after it. */
  readonly rehearse: () => void;
  /** It has ended: let everything go. */
  readonly onYield: () => void;
}
