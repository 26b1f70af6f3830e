import { fail, ok, type Result } from '../base/result.ts';

/** What `weft why` has weftd do: send a packet as a pod of this node would, and tell where it was seen. */
export interface ProbeRequest {
  readonly op: 'probe';
  /** Of a pod of this node. */
  readonly source: string;
  readonly target: string;
  readonly protocol: ProbeProtocol;
  /** 0 with ICMP. */
  readonly port: number;
  /** Of the IP packet: 0 for as many as it takes, else up to {@link MAX_PROBE_BYTES}. */
  readonly bytes: number;
}

type ProbeProtocol = 'TCP' | 'UDP' | 'ICMP';

/** Which way a packet of a probe goes. error: an ICMP error about it, on the way back. */
export type ProbeWay = 'there' | 'back' | 'error';

/** Where on a node a packet is seen, in the order in which it passes: as it comes in, is forwarded, is for the node, begins there, leaves. */
export const PROBE_HOOKS = ['in', 'forward', 'input', 'output', 'out'] as const;
export type ProbeHook = (typeof PROBE_HOOKS)[number];

/** accepted, refused: TCP. answered: UDP, ICMP. The others are ICMP errors. */
export type ProbeAnswer =
  | 'accepted'
  | 'refused'
  | 'answered'
  | 'port-closed'
  | 'prohibited'
  | 'too-big'
  | 'unreachable';

/** A packet of a probe at a station of a node. */
export interface Sighting {
  readonly way: ProbeWay;
  readonly at: ProbeHook;
  /** The interface that it came in by (`in`, `input`), or goes out by. */
  readonly link: string;
  /** The address that it is for, or, on the way back, from. */
  readonly other: string;
  /** On the way there, as the packet has it here. */
  readonly port?: number;
  /** What an answer says. */
  readonly says?: ProbeAnswer;
}

/** A chain that drops a packet of a probe. */
export interface ProbeDrop {
  readonly way: ProbeWay;
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** Handle of the rule; null for the chain's policy. */
  readonly rule: number | null;
}

/** What a node saw of a probe, each thing once, in the order in which it came. */
export interface Sightings {
  readonly seen: readonly Sighting[];
  readonly drops: readonly ProbeDrop[];
}

/** What the target's node saw, and how the target stands there. */
export interface FarSightings extends Sightings {
  /** Whether the target's address is of a pod there, of the node itself, or of nobody. */
  readonly target: 'pod' | 'node' | 'nobody';
  /** How the gate stands for that pod; null where that node keeps none. */
  readonly gate: 'open' | 'closed' | null;
  /** Whether its kernel forwards; null where that is not known. */
  readonly forwards: boolean | null;
}

export interface ProbeResult {
  /** How many packets were sent: more than one where none was answered at first. */
  readonly sent: number;
  readonly near: Sightings;
  /** Undefined where the target is on no peer; null where the peer did not say, for it is not reached or of an earlier version. */
  readonly far?: FarSightings | null;
  /** Milliseconds from the packet to its answer, measured on a node that may be busy; null where there is none. */
  readonly answeredMs: number | null;
  /** What the source's node, all of it, counted as dropped meanwhile: packets by counter (docs/counters.md). */
  readonly dropped: Readonly<Record<string, number>>;
}

/** The longest probe. */
export const MAX_PROBE_BYTES = 9000;

const MAX_ADDRESS_LENGTH = 64;
const KEYS = ['op', 'source', 'target', 'protocol', 'port', 'bytes'];

/** Reads a request, which is not trusted; undefined where it is another one. */
export function decodeProbeRequest(
  request: Readonly<Record<string, unknown>>,
): Result<ProbeRequest, 'request-bad-probe'> | undefined {
  if (request.op !== 'probe') return undefined;
  const { source, target, protocol, port, bytes } = request;
  if (Object.keys(request).some((key) => !KEYS.includes(key))) return fail('request-bad-probe');
  if (!isAddressText(source) || !isAddressText(target)) return fail('request-bad-probe');
  if (protocol !== 'TCP' && protocol !== 'UDP' && protocol !== 'ICMP') return fail('request-bad-probe');
  if (!isUpTo(port, 65_535) || (port === 0) !== (protocol === 'ICMP')) return fail('request-bad-probe');
  if (!isUpTo(bytes, MAX_PROBE_BYTES)) return fail('request-bad-probe');
  return ok({ op: 'probe', source, target, protocol, port, bytes });
}

function isAddressText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_ADDRESS_LENGTH;
}

function isUpTo(value: unknown, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}
