import type { Instant } from '../base/instant.ts';
import { type Warning, warningLine, warningOf } from '../base/warning.ts';
import { type ApiError, UNTRUSTED } from './api-error.ts';
import { KUBE_WARNINGS } from './kube-warnings.ts';

/** What the API is asked for, in words for the user. */
const WORDS_BY_ASKED = {
  objects: "the watch of Weft's ConfigMaps",
  nodes: 'the watch of nodes',
  secret: "the watch of the cluster's Secret",
  'put-back': 'putting back what was deleted',
  peers: 'the list of nodes',
  services: 'the list of ServiceCIDRs',
  policies: 'the list of NetworkPolicies',
  genesis: 'the beginning of the ring',
  removal: 'the removal of a node',
  pods: 'the watch of pods',
  namespaces: 'the watch of namespaces',
  networkpolicies: 'the watch of NetworkPolicies',
  clusternetworkpolicies: 'the watch of ClusterNetworkPolicies',
  events: 'telling of a policy by an event',
  warnings: 'telling of a warning by an event',
  condition: 'the condition NetworkUnavailable of this node',
} as const;

export type Asked = keyof typeof WORDS_BY_ASKED;

/** Removals are proposed anew every few seconds; one that failed and was not tried again for so long is past. */
export const REMOVAL_FORGET_MS = 180_000;

type ApiWarningCode = Extract<keyof typeof KUBE_WARNINGS, `${string}_API_${string}`>;

const CODE_BY_STATUS: Readonly<Record<number, ApiWarningCode>> = {
  0: 'E_API_UNREACHED',
  401: 'E_API_UNAUTHORIZED',
  403: 'E_API_FORBIDDEN',
  429: 'W_API_BUSY',
};

interface Fault {
  readonly error: ApiError;
  /** When the first of the failures of this kind in a row came, and the last. */
  readonly since: Instant;
  readonly lastAt: Instant;
}

/**
 * What does not work with the API of Kubernetes at present, by what was asked: a fault stands from the first request
 * that fails until one of the same kind succeeds.
 */
export class ApiFaults {
  readonly #faultByAsked = new Map<Asked, Fault>();

  /** A request failed. */
  failed(asked: Asked, error: ApiError, now: Instant): void {
    const before = this.#faultByAsked.get(asked);
    const since = before && kindOf(before.error) === kindOf(error) ? before.since : now;
    this.#faultByAsked.set(asked, { error, since, lastAt: now });
  }

  /** A request succeeded, or is not made any more. True where that ended a fault. */
  granted(asked: Asked): boolean {
    return this.#faultByAsked.delete(asked);
  }

  /** One warning for each kind of failure, the oldest first: what, since when, what to do. */
  warnings(now: Instant): Warning[] {
    const removal = this.#faultByAsked.get('removal');
    if (removal !== undefined && now - removal.lastAt > REMOVAL_FORGET_MS) this.granted('removal');
    const askedByKind = new Map<string, Asked[]>();
    const oldestFirst = [...this.#faultByAsked].sort(([, a], [, b]) => a.since - b.since);
    for (const [asked, { error }] of oldestFirst) {
      const kind = kindOf(error);
      askedByKind.set(kind, [...(askedByKind.get(kind) ?? []), asked]);
    }
    return [...askedByKind].map(([kind, all]) => {
      const { error, since } = this.#faultByAsked.get(all[0]!)!;
      const seconds = Math.floor((now - since) / 1000);
      const words = all.map((asked) => WORDS_BY_ASKED[asked]).join(', ');
      return warningOf(KUBE_WARNINGS, codeOf(error), { fault: kind, seconds, asked: words });
    });
  }

  /** The same, one line each. */
  lines(now: Instant): string[] {
    return this.warnings(now).map(warningLine);
  }
}

/** What a user can do about it, an imperative clause without a full stop. */
export function remedyOf(error: ApiError): string {
  return KUBE_WARNINGS[codeOf(error)].remedy;
}

function codeOf({ status, reason }: ApiError): ApiWarningCode {
  return reason === UNTRUSTED ? 'E_API_UNTRUSTED' : (CODE_BY_STATUS[status] ?? 'E_API_BROKEN');
}

function kindOf({ status, reason, message }: ApiError): string {
  return status === 0 ? `cannot be used: ${message}` : `answers ${status} (${reason})`;
}
