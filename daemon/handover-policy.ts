import type { Instant } from '../base/instant.ts';
import { WeftError } from '../base/weft-error.ts';
import type { DatapathOffer } from './handover/datapath-offer.ts';

/**
 * A weftd that took the node back because its successor failed keeps it for this long. A successor that fails again and
 * again would otherwise interrupt the node each time.
 */
export const KEEP_AFTER_RETURN_MS = 60_000;

/** Decides whether the weftd that serves a node makes room for another one that asks. */
export class HandoverPolicy {
  readonly #options: HandoverPolicyOptions;

  constructor(options: HandoverPolicyOptions) {
    this.#options = options;
  }

  /**
   * A weftd of the cluster `cluster` asks for the node, and `offer`s to go on with what this one has open. This one agrees by
   * calling `onYield`, and answers by which version it hands its datapath over (undefined: it closes it); or it stays and
   * throws E_NOT_SHARED, E_STATE_CLUSTER, E_TOO_SOON, or what the rehearsal throws. The other weftd prints that error and ends.
   */
  yieldTo(cluster: string, offer: DatapathOffer | undefined, now: Instant): number | undefined {
    const { shared, clusterId, returnedAt, rehearse, agree, onYield } = this.#options;
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
      const remedy = `see the log of that successor (kubectl logs --previous); room is made again ${KEEP_AFTER_RETURN_MS / 1000} s after it failed`;
      throw new WeftError('E_TOO_SOON', message, remedy);
    }
    rehearse();
    const version = agree(offer);
    onYield(version);
    return version;
  }
}

/** What a {@link HandoverPolicy} is made of. */
interface HandoverPolicyOptions {
  /** This weftd was started with `--take-over`. */
  readonly shared: boolean;
  /** 32 hex digits. */
  readonly clusterId: string;
  /** When this weftd took the node back from a successor that failed; undefined where it did not. */
  readonly returnedAt: Instant | undefined;
  /** Writes to the disk what the start of a weftd writes; throws where that fails. */
  readonly rehearse: () => void;
  /** By which version this weftd hands its datapath over. */
  readonly agree: (offer: DatapathOffer | undefined) => number | undefined;
  /** This weftd has to let everything go now; the datapath to its successor, where a version was agreed on. */
  readonly onYield: (version: number | undefined) => void;
}
