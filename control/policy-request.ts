import { fail, ok, type Result } from '../base/result.ts';

/** What weft-npc, which enforces policies, says to weftd over its control socket, and what weftd answers. */
export type PolicyRequest =
  /**
   * Asks who hangs on this node. Answered at once where `revision` is not the present one (empty: none is known), else
   * when something changes, and within {@link POLICY_WAIT_MS}. `complete`: weft-npc has a complete copy of the API, so
   * that pods may be left to it; false where it has none.
   * A weft-npc that serves sends the next one at once. {@link POLICY_GAP_MS} without one, or a connection that it
   * closed, and it counts as not connected. Several may ask at once, for one takes the place of another.
   * `differences`: what differs from `revision` is enough, where weftd still knows that. Absent: false.
   */
  | {
      readonly op: 'policyWait';
      readonly revision: string;
      readonly complete: boolean;
      readonly differences?: boolean;
    }
  /**
   * weft-npc has spoken for pods: 1 to {@link MAX_POLICY_LINKS} in all three lists together. `links`: their rules and
   * their elements of the set `decided` are loaded. `unknown`: it does not know whose they are, or can load nothing for
   * them now, so weftd is to do what it does where weft-npc is not connected. `pods`: whose links are that name no pod.
   */
  | {
      readonly op: 'policyDecided';
      readonly links: readonly string[];
      readonly unknown: readonly string[];
      readonly pods: readonly PolicyPod[];
    };

/** Whose pod hangs on a link. */
export interface PolicyPod {
  readonly link: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** How the gate for policies stands, in the answer to `status`. */
export interface PolicyStatus {
  /** Of weft-npc. serving: pods may be left to it. incomplete: it has no complete copy of the API. absent: not connected. */
  readonly npc: 'serving' | 'incomplete' | 'absent';
  /** Pods for which somebody has spoken, and pods that are closed. */
  readonly open: number;
  readonly waiting: number;
  /** Milliseconds that starts of pods have waited for weft-npc, all together. Earlier versions do not say. */
  readonly waitedMs?: number;
}

/** What each is answered with. */
export interface PolicyResults {
  policyWait: PolicyWaitResult;
  policyDecided: PolicyDecidedResult;
}

/** Who hangs on this node, who the nodes are, and which addresses pods have. */
export interface PolicyWaitResult {
  /** To be given with the next request. No two weftds give the same. */
  readonly revision: string;
  /**
   * The answer is what differs from this revision, which is that of the request: `attachments` are those that came or are
   * others since, and peers and ranges are left out where they are as they were. Absent: it is the whole.
   */
  readonly since?: string;
  /** Links that are gone since. */
  readonly gone?: readonly string[];
  /** Each as npc/gate/attachment-file.ts reads it, sorted by link. */
  readonly attachments: readonly object[];
  /** This node and its peers by name, with their overlay addresses; only those that have some. */
  readonly peers?: readonly { readonly name: string; readonly addresses: readonly string[] }[];
  /** The ranges out of which the pods of all nodes get their addresses, as CIDRs. Earlier versions do not say. */
  readonly podRanges?: readonly string[];
}

interface PolicyDecidedResult {
  /** How many of the links hang on this node. */
  readonly known: number;
}

/** The longest that `policyWait` is left without an answer, and the longest pause between two of a weft-npc. */
export const POLICY_WAIT_MS = 10_000;
export const POLICY_GAP_MS = 1_000;
/** Links in one `policyDecided`. */
export const MAX_POLICY_LINKS = 4096;

const MAX_REVISION_LENGTH = 64;
/** The longest name of a pod. */
const MAX_TEXT_LENGTH = 253;
const POD_KEYS = ['link', 'namespace', 'name', 'uid'] as const;

/**
 * Reads a request; undefined where it is another one. The two programs may be of two versions, so members that are not known are passed over. Names are bounded
 * here, and judged by whoever uses them.
 */
export function decodePolicyRequest(
  request: Readonly<Record<string, unknown>>,
): Result<PolicyRequest, 'request-bad-policy'> | undefined {
  const { op } = request;
  if (op === 'policyWait') {
    const { revision, complete, differences = false } = request;
    if (!isText(revision, MAX_REVISION_LENGTH) || typeof complete !== 'boolean')
      return fail('request-bad-policy');
    if (typeof differences !== 'boolean') return fail('request-bad-policy');
    return ok({ op, revision, complete, ...(differences ? { differences } : {}) });
  }
  if (op !== 'policyDecided') return undefined;
  const { links, unknown, pods } = request;
  if (!isLinkList(links) || !isLinkList(unknown) || !isPodList(pods)) return fail('request-bad-policy');
  const count = links.length + unknown.length + pods.length;
  if (count === 0 || count > MAX_POLICY_LINKS) return fail('request-bad-policy');
  return ok({ op, links, unknown, pods });
}

function isLinkList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((link) => isText(link, 15));
}

function isPodList(value: unknown): value is PolicyPod[] {
  if (!Array.isArray(value)) return false;
  return (value as unknown[]).every((each) => {
    if (typeof each !== 'object' || each === null) return false;
    const pod = each as Readonly<Record<string, unknown>>;
    return (
      Object.keys(pod).length === POD_KEYS.length &&
      POD_KEYS.every((key) => isText(pod[key], MAX_TEXT_LENGTH))
    );
  });
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length <= maxLength;
}
