import type { Instant } from '../../base/instant.ts';
import type { Range } from '../../base/range.ts';
import type { Log } from '../../host/log.ts';
import type { ApiError } from '../../kube/api-error.ts';
import { ApiFaults, type Asked, remedyOf } from '../../kube/api-faults.ts';
import type { KubeNode, ServiceCidr } from '../../kube/objects.ts';
import { type RangeOverlap, RangeOverlaps } from '../../kube/range-overlaps.ts';
import { GENESIS_NAME } from '../../kube/ring-object.ts';

const DAMAGED = {
  message: 'the object that begins the ring is damaged',
  remedy: `delete ConfigMap ${GENESIS_NAME}: a node that needs it makes it anew`,
} as const;

/**
 * What a user of Kubernetes should know of: requests that the API does not grant, the damaged object, ranges that
 * overlap. All of it is a line of the log when it begins, and one of `weft status` for as long as it lasts.
 */
export class KubernetesWarnings {
  readonly #log: Log;
  readonly #faults = new ApiFaults();
  readonly #overlaps: RangeOverlaps;
  /** The version of the object that begins the ring, while it is damaged. */
  #damaged: string | undefined;

  constructor(log: Log, ranges: readonly Range[]) {
    this.#log = log;
    this.#overlaps = new RangeOverlaps(ranges);
  }

  /** A request failed. */
  failed(asked: Asked, error: ApiError, now: Instant): void {
    this.#faults.failed(asked, error, now);
    const { status, reason, message } = error;
    this.#log.warn('the API of Kubernetes does not serve', {
      status,
      reason,
      asked,
      remedy: remedyOf(error),
    });
    this.#log.debug('the API of Kubernetes said', { message });
  }

  /** A request succeeded, or is not made any more. */
  granted(asked: Asked): void {
    if (this.#faults.granted(asked)) this.#log.info('the API of Kubernetes serves again', { asked });
  }

  /** The object that begins the ring was read, and is in order or not; `undefined`: it is not there. */
  genesisSeen(seen: { readonly resourceVersion: string; readonly isGood: boolean } | undefined): void {
    const damaged = seen === undefined || seen.isGood ? undefined : seen.resourceVersion;
    if (damaged !== undefined && damaged !== this.#damaged)
      this.#log.error(DAMAGED.message, { object: GENESIS_NAME, remedy: DAMAGED.remedy });
    this.#damaged = damaged;
  }

  /** The ranges of Services as they are now. */
  servicesSeen(found: readonly ServiceCidr[]): void {
    this.#logNew(this.#overlaps.takeServices(found));
  }

  /** Nodes as they are now. */
  nodesSeen(found: readonly KubeNode[]): void {
    this.#logNew(this.#overlaps.takeNodes(found));
  }

  /** One line for each, the worst first. */
  lines(now: Instant): string[] {
    const damaged = this.#damaged === undefined ? [] : [`${DAMAGED.message}; ${DAMAGED.remedy}`];
    return [...this.#overlaps.lines(), ...damaged, ...this.#faults.lines(now)];
  }

  #logNew(overlaps: readonly RangeOverlap[]): void {
    for (const { range, used, remedy } of overlaps)
      this.#log.error(
        'the pod range overlaps what the cluster uses for something else',
        { range, used, remedy },
        `overlap ${used}`,
      );
  }
}
