import { formatAddress, parseAddress } from '../../base/address.ts';
import { utf8, utf8Text } from '../../base/bytes.ts';
import {
  type FarSightings,
  PROBE_HOOKS,
  type ProbeAnswer,
  type ProbeDrop,
  type ProbeWay,
  type Sighting,
} from '../../control/probe-request.ts';
import type { ProbeFlow } from '../../why/probe/probe-flow.ts';

/**
 * What two nodes say to each other about a probe, over their tunnel (docs/wire.md, channel 4): JSON, at most
 * {@link MAX_PROBE_MESSAGE_BYTES}. Each may be lost, so who asks repeats. `id`: 8 hex digits of the asker's choice.
 */
export type ProbeMessage =
  /** Watch for this probe from now on. */
  | { readonly say: 'watch'; readonly id: string; readonly flow: ProbeFlow }
  /** It is watched for. */
  | { readonly say: 'watching'; readonly id: string }
  /** Too many are watched for, or it cannot be done here. */
  | { readonly say: 'refused'; readonly id: string }
  /** What was seen? */
  | { readonly say: 'ask'; readonly id: string }
  | { readonly say: 'told'; readonly id: string; readonly saw: FarSightings }
  /** Watch for it no more. Where this is lost, the watch ends by itself. */
  | { readonly say: 'done'; readonly id: string };

/** What a control message of a tunnel has room for. */
const MAX_PROBE_MESSAGE_BYTES = 1100;
const MAX_TEXT = 64;
const WAYS: readonly ProbeWay[] = ['there', 'back', 'error'];
const ANSWERS: readonly ProbeAnswer[] = [
  'accepted',
  'refused',
  'answered',
  'port-closed',
  'prohibited',
  'too-big',
  'unreachable',
];

/** The message as bytes. Of what was seen, the last is left out where there is no room. */
export function encodeProbeMessage(message: ProbeMessage): Uint8Array {
  if (message.say === 'watch') {
    const { source, target, ...rest } = message.flow;
    const flow = { ...rest, source: formatAddress(source), target: formatAddress(target) };
    return utf8(JSON.stringify({ ...message, flow }));
  }
  if (message.say !== 'told') return utf8(JSON.stringify(message));
  const { seen, drops, ...rest } = message.saw;
  for (let kept = Math.max(seen.length, drops.length); ; kept--) {
    const saw = { ...rest, seen: seen.slice(0, kept), drops: drops.slice(0, kept) };
    const bytes = utf8(JSON.stringify({ ...message, saw }));
    if (bytes.length <= MAX_PROBE_MESSAGE_BYTES || kept === 0) return bytes;
  }
}

/** Reads a message of a peer, which is not trusted; undefined for anything else. */
export function decodeProbeMessage(bytes: Uint8Array): ProbeMessage | undefined {
  const value = parseRecord(bytes);
  const { say, id } = value ?? {};
  if (typeof id !== 'string' || !/^[0-9a-f]{8}$/.test(id)) return undefined;
  switch (say) {
    case 'watching':
    case 'refused':
    case 'ask':
    case 'done':
      return { say, id };
    case 'watch': {
      const flow = readFlow(value!.flow);
      return flow && { say, id, flow };
    }
    case 'told': {
      const saw = readSaw(value!.saw);
      return saw && { say, id, saw };
    }
    default:
      return undefined;
  }
}

function readFlow(value: unknown): ProbeFlow | undefined {
  if (!isRecord(value)) return undefined;
  const { protocol, port, mark } = value;
  const [source, target] = [value.source, value.target].map((text) =>
    typeof text === 'string' ? parseAddress(text) : undefined,
  );
  if (source === undefined || target === undefined || source.family !== target.family) return undefined;
  if (protocol !== 'TCP' && protocol !== 'UDP' && protocol !== 'ICMP') return undefined;
  if (!isPort(port) || !isPort(mark)) return undefined;
  return { protocol, source, target, port, mark };
}

function readSaw(value: unknown): FarSightings | undefined {
  if (!isRecord(value)) return undefined;
  const { target, gate, forwards, seen, drops } = value;
  if (target !== 'pod' && target !== 'node' && target !== 'nobody') return undefined;
  if (gate !== null && gate !== 'open' && gate !== 'closed') return undefined;
  if (forwards !== null && typeof forwards !== 'boolean') return undefined;
  if (!Array.isArray(seen) || !Array.isArray(drops)) return undefined;
  if (!seen.every(isSighting) || !drops.every(isDrop)) return undefined;
  return { target, gate, forwards, seen, drops };
}

function isSighting(value: unknown): value is Sighting {
  if (!isRecord(value) || !WAYS.includes(value.way as ProbeWay)) return false;
  const { at, link, other, port, says } = value;
  if (!PROBE_HOOKS.some((hook) => hook === at) || !isText(link) || !isText(other)) return false;
  return (
    (port === undefined || isPort(port)) && (says === undefined || ANSWERS.includes(says as ProbeAnswer))
  );
}

function isDrop(value: unknown): value is ProbeDrop {
  if (!isRecord(value) || !WAYS.includes(value.way as ProbeWay)) return false;
  const { family, table, chain, rule } = value;
  return isText(family) && isText(table) && isText(chain) && (rule === null || Number.isInteger(rule));
}

function parseRecord(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(utf8Text(bytes) ?? '');
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT;
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
}
