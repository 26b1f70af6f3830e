import type { Instant } from '../../base/instant.ts';
import type { Range } from '../../base/range.ts';
import { type Warning, warningLine, warningOf } from '../../base/warning.ts';
import type { Log } from '../../host/log.ts';
import type { ApiError } from '../../kube/api-error.ts';
import { ApiFaults, type Asked, remedyOf } from '../../kube/api-faults.ts';
import type { KubeNode, ServiceCidr } from '../../kube/objects.ts';
import { type RangeOverlap, RangeOverlaps } from '../../kube/range-overlaps.ts';
import { GENESIS_NAME } from '../../kube/ring-object.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';

const DAMAGED = warningOf(DAEMON_WARNINGS, 'E_GENESIS_DAMAGED');
const OTHER_SECRET = warningOf(DAEMON_WARNINGS, 'E_OTHER_SECRET');
const OTHER_RING = warningOf(DAEMON_WARNINGS, 'E_OTHER_RING');

/** What is looked at again and again. */
type Check = 'kube-proxy' | 'kube-proxy mode' | 'policies' | 'nodes';

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
  readonly #mistaken = new Set<Warning>();
  readonly #warningByCheck = new Map<Check, Warning>();

  constructor(log: Log, ranges: readonly Range[]) {
    this.#log = log;
    this.#overlaps = new RangeOverlaps(ranges);
  }

  /** A request failed. */
  failed(asked: Asked, error: ApiError, now: Instant): void {
    this.#faults.failed(asked, error, now);
    const { status, reason, message } = error;
    // Another request, or another kind of fault, is told whatever was told before.
    const key = `the API of Kubernetes does not serve ${asked} ${status}`;
    const fields = { status, reason, asked, remedy: remedyOf(error) };
    this.#log.warn('the API of Kubernetes does not serve', fields, key);
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

  /** What a check of the cluster found, or undefined where all is well. */
  checked(check: Check, found: Warning | undefined): void {
    if (found === undefined) {
      this.#warningByCheck.delete(check);
      return;
    }
    const before = this.#warningByCheck.get(check);
    const line = warningLine(found);
    if (before === undefined || warningLine(before) !== line) this.#log.warn(line, {}, check);
    this.#warningByCheck.set(check, found);
  }

  /** The cluster's Secret is there, and holds the secret of this node's cluster or not. */
  secretSeen(whose: 'ours' | 'other'): void {
    this.#mistake(OTHER_SECRET, whose === 'other');
  }

  /** The object that begins the ring names this node's cluster, or another one. */
  ringSeen(whose: 'ours' | 'other'): void {
    this.#mistake(OTHER_RING, whose === 'other');
  }

  #mistake(what: Warning, isSo: boolean): void {
    if (isSo && !this.#mistaken.has(what)) this.#log.error(what.message, { remedy: what.remedy });
    if (isSo) this.#mistaken.add(what);
    else this.#mistaken.delete(what);
  }

  /** The ranges of Services as they are now. */
  servicesSeen(found: readonly ServiceCidr[]): void {
    this.#logNew(this.#overlaps.takeServices(found));
  }

  /** Nodes as they are now. */
  nodesSeen(found: readonly KubeNode[]): void {
    this.#logNew(this.#overlaps.takeNodes(found));
  }

  /** All of it, the worst first. */
  warnings(now: Instant): Warning[] {
    const damaged = this.#damaged === undefined ? [] : [DAMAGED];
    return [
      ...this.#mistaken,
      ...this.#overlaps.warnings(),
      ...damaged,
      ...this.#warningByCheck.values(),
      ...this.#faults.warnings(now),
    ];
  }

  /** The same, one line each. */
  lines(now: Instant): string[] {
    return this.warnings(now).map(warningLine);
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
