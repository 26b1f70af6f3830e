import { utf8Text } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { Warning } from '../base/warning.ts';
import type { ProcessPlace } from '../host/own-process.io.ts';
import { MAX_REQUEST_BYTES } from './control-protocol.ts';

/** What is said over the control socket of weft-npc, RUN_DIR/weft-npc.sock, in the frames of control-protocol.ts. */
export type NpcRequest =
  | { readonly op: 'policyStatus' }
  | ({ readonly op: 'policyExplain' } & PolicyQuestion)
  /** Which pods have these addresses; 1 to {@link MAX_NAMED_ADDRESSES}, in canonical text. */
  | { readonly op: 'podNames'; readonly addresses: readonly string[] }
  /**
   * Packets that policies denied from `cursor` on (empty: from now on). Answered when there are some, and within
   * {@link DENIED_WAIT_MS}; the next request takes the cursor of the answer.
   */
  | { readonly op: 'policyDenied'; readonly cursor: string }
  /** In which process weft-npc runs. */
  | { readonly op: 'process' }
  /** Another weft-npc, which has a complete copy, asks to serve this node. */
  | { readonly op: 'yield' };

/** Whether a connection would pass, and why. */
export interface PolicyQuestion {
  /** A pod as `namespace/name`, or an address. */
  readonly source: string;
  readonly destination: string;
  /** `80`, `80/tcp`, `53/udp` or `9/sctp`. */
  readonly port: string;
  /** Policies, as YAML or JSON, that are taken to be there too; one of the same kind and name replaces what is there. */
  readonly with?: string;
}

/** What each request is answered with, where it is granted. */
export interface NpcResults {
  policyStatus: PolicyStatusResult;
  policyExplain: PolicyExplainResult;
  podNames: { readonly pods: readonly NamedPod[] };
  policyDenied: PolicyDeniedResult;
  process: ProcessPlace;
  yield: { readonly yielded: true };
}

/** A pod, by one of its addresses. */
export interface NamedPod {
  readonly address: string;
  readonly namespace: string;
  readonly name: string;
  /** At most {@link MAX_NAMED_LABELS} of them. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface PolicyDeniedResult {
  readonly cursor: string;
  readonly denied: readonly DeniedPacketStatus[];
  /** Packets since the cursor that were not kept. */
  readonly lost: number;
  /** False where this weft-npc does not hear of what is denied. */
  readonly logged: boolean;
}

/** A packet that was denied: a sample, for the kernel tells of some a second only. */
export interface DeniedPacketStatus {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly source: string;
  readonly sourcePort: number | null;
  readonly destination: string;
  readonly destinationPort: number | null;
  /** `TCP`, `UDP`, `SCTP`, `ICMP`, or `protocol 47`. */
  readonly protocol: string;
  readonly way: 'ingress' | 'egress';
  /** `NetworkPolicy ns/name` */
  readonly policies: readonly string[];
}

export interface PolicyStatusResult {
  readonly node: string;
  readonly version: string;
  /** What weft-npc knows of the API. */
  readonly copy: {
    readonly complete: boolean;
    /** Seconds for which it has been complete; null while it is not. */
    readonly forS: number | null;
    readonly kinds: readonly PolicyKindStatus[];
  };
  /** What is loaded into the kernel; null where nothing was loaded yet. */
  readonly loaded: {
    /** Of this node that policies select. */
    readonly pods: number;
    readonly sets: number;
    readonly chains: number;
    readonly rules: number;
    /** Milliseconds that the last change took, from when it was known until it was loaded. */
    readonly lastApplyMs: number;
    /** What 99 of 100 of the recent changes took at most. */
    readonly applyP99Ms: number;
  } | null;
  /** Pods that hang on this node. */
  readonly attached: number;
  /** Those for whom nobody has spoken yet: nothing passes from or to them. */
  readonly waiting: readonly {
    readonly link: string;
    /** `namespace/name`, or null where nobody knows. */
    readonly pod: string | null;
    readonly reason: string;
  }[];
  /** What policies say that cannot be done as they say it. */
  readonly unhonoured: readonly UnhonouredPolicy[];
  /** How long starts of pods have waited for weft-npc, all together; null where weftd does not say. */
  readonly addsWaitedMs: number | null;
  /** How often things happened, and what the kernel counts of policies: docs/counters.md. */
  readonly counters: Readonly<Record<string, number>>;
  /** What a user should know and do something about, the worst first. */
  readonly problems: readonly Warning[];
}

interface PolicyKindStatus {
  /** `pods`, `networkpolicies` … */
  readonly kind: string;
  /** `v1`, or null where the API does not serve the kind. */
  readonly version: string | null;
  readonly complete: boolean;
  readonly objects: number;
}

/** A policy of which something cannot be honoured. */
export interface UnhonouredPolicy {
  /** `NetworkPolicy ns/name`, `ClusterNetworkPolicy name`. */
  readonly policy: string;
  /** What, and why: a clause each. */
  readonly reasons: readonly string[];
}

export interface PolicyExplainResult {
  readonly source: ExplainedEnd;
  readonly destination: ExplainedEnd;
  readonly protocol: string;
  readonly port: number;
  /** Whether a new connection passes both. */
  readonly passes: boolean;
  /** What may leave the source, and what may reach the destination. */
  readonly egress: ExplainedDirection;
  readonly ingress: ExplainedDirection;
  /** Of the policies that the question brought. */
  readonly unhonoured: readonly UnhonouredPolicy[];
}

export interface ExplainedEnd {
  /** As it was asked for. */
  readonly text: string;
  /** `namespace/name`, or null where it is an address of no pod. */
  readonly pod: string | null;
  readonly node: string | null;
  readonly addresses: readonly string[];
}

/** How one direction is judged. */
export interface ExplainedDirection {
  readonly passes: boolean;
  /** One clause: what decides. */
  readonly because: string;
  /** The rule that decides, counted from 0 among those of its direction; null where none matches. */
  readonly rule: { readonly policy: string; readonly index: number; readonly name: string } | null;
  /** Every policy that selects the pod, in the order in which they are asked: `NetworkPolicy ns/name`. */
  readonly selecting: readonly { readonly policy: string; readonly tier: string }[];
}

/** Addresses in one `podNames`, and labels of each pod in its answer. */
export const MAX_NAMED_ADDRESSES = 1024;
export const MAX_NAMED_LABELS = 32;
/** The longest that `policyDenied` is left without an answer. */
export const DENIED_WAIT_MS = 5_000;

const MAX_END_LENGTH = 320;
const MAX_PORT_LENGTH = 16;
const MAX_CURSOR_LENGTH = 64;

/** Reads a request, which is not trusted, without its length prefix. */
export function decodeNpcRequest(
  bytes: Uint8Array,
): Result<
  NpcRequest,
  'request-too-large' | 'request-not-json' | 'request-unknown-op' | 'request-bad-policy'
> {
  if (bytes.length > MAX_REQUEST_BYTES) return fail('request-too-large');
  const request = parseJson(bytes);
  if (request === undefined) return fail('request-not-json');
  switch (request.op) {
    case 'policyStatus':
    case 'process':
    case 'yield':
      return ok({ op: request.op });
    case 'policyExplain': {
      const { source, destination, port, with: policies } = request;
      const fits = isText(source, MAX_END_LENGTH) && isText(destination, MAX_END_LENGTH);
      if (!fits || !isText(port, MAX_PORT_LENGTH)) return fail('request-bad-policy');
      if (policies !== undefined && typeof policies !== 'string') return fail('request-bad-policy');
      const question = { source, destination, port, ...(policies === undefined ? {} : { with: policies }) };
      return ok({ op: 'policyExplain', ...question });
    }
    case 'podNames': {
      const { addresses } = request;
      const fits =
        Array.isArray(addresses) && addresses.length > 0 && addresses.length <= MAX_NAMED_ADDRESSES;
      if (!fits || !addresses.every((each) => isText(each, 45))) return fail('request-bad-policy');
      return ok({ op: 'podNames', addresses: addresses as string[] });
    }
    case 'policyDenied': {
      const { cursor } = request;
      if (typeof cursor !== 'string' || cursor.length > MAX_CURSOR_LENGTH) return fail('request-bad-policy');
      return ok({ op: 'policyDenied', cursor });
    }
    default:
      return fail('request-unknown-op');
  }
}

/** The object of JSON that `bytes` hold; undefined where they hold anything else. */
function parseJson(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(utf8Text(bytes) ?? '');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maxLength;
}
