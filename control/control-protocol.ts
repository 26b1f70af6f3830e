import { readU32LE, utf8, utf8Text, writeU32LE } from '../base/bytes.ts';
import { fail, ok, type Result } from '../base/result.ts';
import type { Warning } from '../base/warning.ts';
import type { ProcessPlace } from '../host/own-process.io.ts';
import { decodeFlowRequest, type FlowRequest, type FlowResults } from './flow-request.ts';
import type { NodeSettings } from './node-settings.ts';
import type { PeerStatus, PeersResult, SeedStatus } from './peer-status.ts';
import {
  decodePolicyRequest,
  type PolicyRequest,
  type PolicyResults,
  type PolicyStatus,
} from './policy-request.ts';
import { decodeProbeRequest, type ProbeRequest, type ProbeResult } from './probe-request.ts';
import type { ClusterTunnelsResult } from './tunnels-request.ts';

/**
 * What is said over the control socket, RUN_DIR/weft.sock: one request and one answer a connection, each a frame
 *
 * ```
 *   0                 4
 *   | length (u32 LE) | length bytes of JSON …
 * ```
 *
 * A CNI request carries netlink sockets of the pod's namespace, attached to its first byte by SCM_RIGHTS.
 */
export type ControlRequest =
  /** `all`: also peers that left long ago. */
  | { readonly op: 'status'; readonly all?: boolean }
  | { readonly op: 'peers'; readonly all?: boolean }
  /** The tunnels of all other nodes, which are asked for them. */
  | { readonly op: 'clusterTunnels' }
  | { readonly op: 'ipam' }
  | { readonly op: 'report' }
  /** Peers as `--peer` takes them; 1 to {@link MAX_REQUEST_PEERS}. */
  | { readonly op: 'connect'; readonly peers: readonly string[] }
  | { readonly op: 'forget'; readonly peers: readonly string[] }
  /** A name or the start of a peer id. */
  | { readonly op: 'rmpeer'; readonly peer: string }
  /** The node gives its range to others, and its daemon ends. */
  | { readonly op: 'leave' }
  /** A node, as `rmpeer` takes it, or an address of the overlay. */
  | { readonly op: 'locate'; readonly target: string }
  /** In which process the daemon runs. */
  | { readonly op: 'process' }
  /**
   * Another weftd asks to serve this node; `cluster` is its cluster's id, 32 hex digits. `datapath`: it can go on with what
   * this one has open (`daemon/handover/datapath-offer.ts`).
   */
  | { readonly op: 'yield'; readonly cluster: string; readonly datapath?: unknown }
  /** The weftd that served this node hands over a pod that it held (cni/handed-pod.ts), with the descriptors of its ADD. */
  | { readonly op: 'holdPod'; readonly pod: Readonly<Record<string, unknown>> }
  /** The CNI_… variables and standard input of a call of the CNI plugin. */
  | { readonly op: 'cni'; readonly env: Readonly<Record<string, string>>; readonly config: string }
  | FlowRequest
  | ProbeRequest
  | PolicyRequest;

export type ControlAnswer<T = unknown> =
  | { readonly ok: true; readonly result: T }
  | { readonly ok: false; readonly error: ControlError };

/** A {@link WeftError} on the wire. */
interface ControlError {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

/** What each request is answered with, where it is granted. */
export interface ControlResults extends PolicyResults, FlowResults {
  status: StatusResult;
  peers: PeersResult;
  clusterTunnels: ClusterTunnelsResult;
  ipam: IpamResult;
  connect: ConnectResult;
  forget: ForgetResult;
  rmpeer: RemovePeerResult;
  leave: LeaveResult;
  locate: LocateResult;
  report: ReportResult;
  process: ProcessPlace;
  yield: YieldResult;
  probe: ProbeResult;
}

export interface StatusResult {
  readonly name: string;
  readonly peerId: string;
  readonly version: string;
  /** The node's own overlay addresses, IPv4 first. */
  readonly addresses: readonly string[];
  readonly peers: readonly PeerStatus[];
  /** How many peers that left long ago are not listed. */
  readonly hidden?: number;
  readonly ipam: IpamSummary;
  /** What moves the packets; an older weftd does not tell it. */
  readonly datapath?: DatapathStatus;
  /** Where weftd keeps a gate for policies. */
  readonly policy?: PolicyStatus;
  /** What `--peer` and `weft connect` gave. */
  readonly seeds?: readonly SeedStatus[];
  /** What a user should know and do something about, one line each, the worst first. */
  readonly warnings?: readonly string[];
  /** The same for programs, in the same order: a stable code, how grave it is, what is wrong, what to do. */
  readonly problems?: readonly Warning[];
}

export interface DatapathStatus {
  /** As `--datapath` calls it. */
  readonly name: string;
  /** Cipher suites that it offers to peers, the preferred first. */
  readonly suites: readonly string[];
  /** What of it does not work on this host, and why. */
  readonly without: readonly { readonly feature: string; readonly fault: string }[];
}

export interface IpamSummary {
  readonly state: 'waiting' | 'ready' | 'removed' | 'fault';
  /** One sentence: what is waited for or wrong, and what to do. Empty when ready. */
  readonly detail: string;
  /** What this node owns, as CIDRs (or `first-last`). */
  readonly ranges: readonly string[];
  /** Addresses in those ranges and those in use: of IPv4 where the cluster has it, else of IPv6. */
  readonly owned: number;
  readonly used: number;
  /** The same for each family that the cluster has; `owned` in decimal, for it may exceed 2^53. */
  readonly families: Readonly<Partial<Record<'4' | '6', { readonly owned: string; readonly used: number }>>>;
}

export interface IpamResult extends IpamSummary {
  /** Who owns which part of the cluster's range. */
  readonly owners: readonly { readonly range: string; readonly name: string; readonly peerId: string }[];
  /** Removals that this node drives. */
  readonly removals: readonly RemovalStatus[];
  readonly allocations: readonly {
    readonly containerId: string;
    readonly ifname: string;
    readonly addresses: readonly string[];
  }[];
}

/** How far the removal of a peer is. */
export interface RemovalStatus {
  readonly name: string;
  readonly peerId: string;
  /** asking: the others, or the API of Kubernetes. waiting: until what the peer began has ended. deciding: votes come in. */
  readonly phase: 'asking' | 'waiting' | 'deciding';
  /** Of the waiting, or null. */
  readonly secondsLeft: number | null;
  /** Votes that are needed, of how many, and whose are not there; null where the API decides. */
  readonly votes: {
    readonly needed: number;
    readonly of: number;
    readonly missing: readonly string[];
  } | null;
}

interface ConnectResult {
  /** The peers now sought, in canonical text. */
  readonly connecting: readonly string[];
}

interface ForgetResult {
  readonly forgotten: readonly string[];
  /** Those that were not sought. */
  readonly unknown: readonly string[];
}

export interface RemovePeerResult {
  readonly peerId: string;
  readonly name: string;
  /** What this node took over. */
  readonly ranges: readonly string[];
}

export interface LeaveResult {
  /** What others have now. */
  readonly ranges: readonly string[];
}

/** Where an address of the overlay lives, and how packets get there. */
export interface LocateResult {
  readonly address: string;
  /** The node that owns it; null where that is the node that answers. */
  readonly peer: PeerStatus | null;
  /** The largest packet of the overlay to there, bytes, and whether a packet of that size was seen to arrive. */
  readonly mtu: number;
  readonly mtuConfirmed: boolean;
}

/** The daemon ends its work now, and lets its state folder go when that is done. */
interface YieldResult {
  readonly yielded: true;
  /** The version by which it hands its datapath over; an older weftd, or one that closes its devices, tells none. */
  readonly datapath?: number;
}

/** Everything that helps to judge a fault, without keys and secrets. Its form may change at any time. */
export interface ReportResult {
  readonly status: StatusResult;
  readonly settings: NodeSettings;
  readonly peers: PeersResult;
  /** How often things happened: docs/counters.md. */
  readonly counters: Readonly<Record<string, number>>;
  /** How things stand: one number each, or one for each value of a label. */
  readonly gauges: Readonly<Record<string, number | Readonly<Record<string, number>>>>;
  readonly [more: string]: unknown;
}

/** Bytes of JSON in a request and in an answer. */
export const MAX_REQUEST_BYTES = 1024 * 1024;
export const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Peers in one request, and characters of each. */
export const MAX_REQUEST_PEERS = 64;
export const MAX_PEER_LENGTH = 300;
/** CNI variables in a request, and characters of each value; the shim sends as much. */
export const MAX_CNI_VARIABLES = 16;
export const MAX_CNI_VARIABLE_LENGTH = 16 * 1024;

type RequestFault =
  | 'request-too-large'
  | 'request-not-json'
  | 'request-unknown-op'
  | 'request-unknown-key'
  | 'request-bad-all'
  | 'request-bad-peers'
  | 'request-bad-cni'
  | 'request-bad-pod'
  | 'request-bad-cluster'
  | 'request-bad-flows'
  | 'request-bad-policy'
  | 'request-bad-probe';

/**
 * Reads a request without its length prefix. Strict: an unknown operation or key is refused; but the shim, weft-npc and a
 * weftd that asks for the node may be newer than this daemon, and what they say beyond is passed over.
 */
export function decodeRequest(bytes: Uint8Array): Result<ControlRequest, RequestFault> {
  if (bytes.length > MAX_REQUEST_BYTES) return fail('request-too-large');
  const request = parseJson(bytes);
  if (!isRecord(request)) return fail('request-not-json');
  const { op } = request;
  const known = decodePolicyRequest(request) ?? decodeFlowRequest(request) ?? decodeProbeRequest(request);
  if (known !== undefined) return known;
  if (typeof op !== 'string' || !Object.hasOwn(KEYS_BY_OP, op)) return fail('request-unknown-op');
  const keys = KEYS_BY_OP[op as keyof typeof KEYS_BY_OP];
  if (!MAY_SAY_MORE.includes(op) && Object.keys(request).some((key) => key !== 'op' && !keys.includes(key)))
    return fail('request-unknown-key');
  switch (op as ControlRequest['op']) {
    case 'status':
    case 'peers': {
      if (!['undefined', 'boolean'].includes(typeof request.all)) return fail('request-bad-all');
      return ok({ ...request, op: op as 'status' | 'peers' });
    }
    case 'connect':
    case 'forget': {
      const { peers } = request;
      const fits = Array.isArray(peers) && peers.length > 0 && peers.length <= MAX_REQUEST_PEERS;
      if (!fits || !peers.every(isPeerText)) return fail('request-bad-peers');
      return ok({ op: op as 'connect' | 'forget', peers });
    }
    case 'rmpeer':
      return isPeerText(request.peer) ? ok({ op: 'rmpeer', peer: request.peer }) : fail('request-bad-peers');
    case 'locate':
      if (!isPeerText(request.target)) return fail('request-bad-peers');
      return ok({ op: 'locate', target: request.target });
    case 'cni': {
      const { env, config } = request;
      if (typeof config !== 'string' || !isCniEnvironment(env)) return fail('request-bad-cni');
      return ok({ op: 'cni', env, config });
    }
    case 'holdPod':
      return isRecord(request.pod) ? ok({ op: 'holdPod', pod: request.pod }) : fail('request-bad-pod');
    case 'yield': {
      const { cluster } = request;
      if (typeof cluster !== 'string' || !/^[0-9a-f]{32}$/.test(cluster)) return fail('request-bad-cluster');
      return ok({ op: 'yield', cluster, ...('datapath' in request ? { datapath: request.datapath } : {}) });
    }
    default:
      return ok({ op: op as 'ipam' | 'clusterTunnels' | 'report' | 'leave' | 'process' });
  }
}

/** Reads an answer without its length prefix. What `result` holds is the daemon's word. */
export function decodeAnswer(bytes: Uint8Array): Result<ControlAnswer<object>, 'answer-malformed'> {
  const answer = parseJson(bytes);
  if (!isRecord(answer)) return fail('answer-malformed');
  if (answer.ok === true && isRecord(answer.result)) {
    return ok({ ok: true, result: answer.result });
  }
  const { error } = answer;
  if (answer.ok !== false || !isRecord(error)) return fail('answer-malformed');
  const { code, message, remedy } = error;
  if (typeof code !== 'string' || typeof message !== 'string' || typeof remedy !== 'string') {
    return fail('answer-malformed');
  }
  return ok({ ok: false, error: { code, message, remedy } });
}

/** The JSON of a request or an answer, without the length prefix. */
export function encodeMessage(message: object): Uint8Array {
  return utf8(JSON.stringify(message));
}

/** A message with its length before it, as it goes over the socket. */
export function frame(message: Uint8Array): Uint8Array {
  const out = new Uint8Array(4 + message.length);
  writeU32LE(out, 0, message.length);
  out.set(message, 4);
  return out;
}

/** The length that the first four bytes of a frame tell; undefined where more is needed. */
export function framedLength(bytes: Uint8Array): number | undefined {
  return bytes.length < 4 ? undefined : readU32LE(bytes, 0);
}

const KEYS_BY_OP: Readonly<
  Record<Exclude<ControlRequest, PolicyRequest | FlowRequest | ProbeRequest>['op'], readonly string[]>
> = {
  status: ['all'],
  peers: ['all'],
  clusterTunnels: [],
  ipam: [],
  report: [],
  connect: ['peers'],
  forget: ['peers'],
  rmpeer: ['peer'],
  leave: [],
  locate: ['target'],
  cni: ['env', 'config'],
  process: [],
  yield: ['cluster', 'datapath'],
  holdPod: ['pod'],
};

const MAY_SAY_MORE: readonly string[] = ['cni', 'yield'] satisfies ControlRequest['op'][];

function parseJson(bytes: Uint8Array): unknown {
  const text = utf8Text(bytes);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPeerText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_PEER_LENGTH;
}

function isCniEnvironment(value: unknown): value is Record<string, string> {
  if (!isRecord(value)) return false;
  const entries = Object.entries(value);
  if (entries.length > MAX_CNI_VARIABLES) return false;
  return entries.every(
    ([name, text]) =>
      /^CNI_[A-Z_]{1,32}$/.test(name) && typeof text === 'string' && text.length <= MAX_CNI_VARIABLE_LENGTH,
  );
}
