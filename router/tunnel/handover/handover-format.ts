import { concat, readU32LE, readU64LE, utf8, utf8Text, writeU32LE, writeU64LE } from '../../../base/bytes.ts';
import { type Endpoint, parseEndpoint } from '../../../base/endpoint.ts';
import { after, type Instant } from '../../../base/instant.ts';
import { PEER_ID_LENGTH, type PeerId, peerIdBytes, peerIdFromBytes } from '../../../base/peer-id.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import { SAVED_WINDOW_LENGTH } from '../../../crypto/replay-window.ts';
import { secretBytes } from '../../../crypto/secret-bytes.ts';
import { suiteFromId, suiteId } from '../../../crypto/suite.ts';
import { NO_STATS, type Path, type TunnelStats } from '../../datapath/datapath.ts';
import {
  type HandedSession,
  type HandedTunnel,
  type HandedTunnels,
  SESSION_ROLES,
} from './handed-tunnels.ts';

/**
 * The form in which a weftd hands its tunnels to the next, over a stream between the two and nowhere else, for it holds keys.
 *
 * ```
 *   0         1
 *   | version | fields …          a field:   | tag u8 | length u32 | bytes … |       all little endian
 * ```
 *
 * Of a field with a tag that a reader does not know it passes over the bytes, and of one that it knows over what stands
 * behind what it knows: so fields may be added, and grow at their end. What cannot be so has another version, which an
 * older reader refuses; both then go on without, as after a restart.
 *
 * | tag | in the message | in a tunnel |
 * |---|---|---|
 * | 1 | the node's id, 32 | the peer's id, 32 |
 * | 2 | since epoch u64 | its static key, 32 |
 * | 3 | a tunnel: fields | a session: see {@link SESSION_LENGTH} |
 * | 4 | a counter: u64, name | path: endpoint as text |
 * | 5 | traffic of peers that are forgotten | path: the relay's id, 32 |
 * | 6 | | a way that was proven: endpoint as text |
 * | 7 | | proven MTU u32 |
 * | 8 | | round trip time in µs u64 |
 * | 9 | | traffic: see {@link TRAFFIC_LENGTH} |
 *
 * Times are ages in ms when it is written.
 */
const HANDOVER_VERSION = 1;

/** Bytes that a reader takes: the largest cluster's tunnels, three sessions each. */
export const MAX_HANDOVER_LENGTH = 128 * 1024 * 1024;

const HEAD = 5;
const TAKES_MARKS = 1;
const INITIATOR = 2;
const CONFIRMED = 4;
const KEYS_AT = 60;
/**
 * ```
 *   0             4              8       9       10     11  12         16    24           32     40             48  60
 *   | local index | remote index | suite | flags | role | 0 | peer MTU | age | peer epoch | sent | failed opens | 0 | keys …
 * ```
 *
 * keys: 32 bytes to send with, 32 to receive with; then the replay window (crypto/replay-window.ts).
 */
const SESSION_LENGTH = KEYS_AT + 64 + SAVED_WINDOW_LENGTH;
/** Nine u64, in the order of {@link TunnelStats}; the two times as ages plus one, 0 where there is none. */
const TRAFFIC_LENGTH = 9 * 8;

/** The bytes of `handed`, which the caller wipes. */
export function encodeHandover(handed: HandedTunnels, now: Instant): Uint8Array {
  const parts: Uint8Array[] = [
    Uint8Array.of(HANDOVER_VERSION),
    field(1, peerIdBytes(handed.self)),
    field(2, u64(handed.since)),
    field(5, trafficBytes(handed.past, now)),
  ];
  for (const [name, count] of Object.entries(handed.counters)) parts.push(field(4, u64(count), utf8(name)));
  for (const tunnel of handed.tunnels) parts.push(tunnelField(tunnel, now));
  const out = concat(...parts);
  for (const part of parts) part.fill(0);
  return out;
}

/**
 * Reads what {@link encodeHandover} wrote, perhaps of another version of Weft. `version`: not to be read here. `malformed`:
 * nothing of it is to be believed. What it holds lies in memory of its own.
 */
export function decodeHandover(
  bytes: Uint8Array,
  now: Instant,
): Result<HandedTunnels, 'version' | 'malformed'> {
  if (bytes[0] !== HANDOVER_VERSION) return fail(bytes.length === 0 ? 'malformed' : 'version');
  const fields = fieldsOf(bytes.subarray(1));
  const self = fields && single(fields, 1, readPeer);
  const since = fields && single(fields, 2, readCount);
  const past = fields && optional(fields, 5, (value) => readTraffic(value, now));
  const counters = fields && all(fields, 4, readCounter);
  const tunnels = fields && all(fields, 3, (value) => readTunnel(value, now));
  if (self === undefined || since === undefined || !past || !counters || !tunnels) return fail('malformed');
  const peers = new Set(tunnels.map(({ peer }) => peer));
  const indices = new Set(tunnels.flatMap(({ sessions }) => sessions.map(({ localIndex }) => localIndex)));
  const sessions = tunnels.reduce((sum, tunnel) => sum + tunnel.sessions.length, 0);
  if (peers.size !== tunnels.length || indices.size !== sessions) return fail('malformed');
  return ok({ self, since, tunnels, past: past.value ?? NO_STATS, counters: Object.fromEntries(counters) });
}

function tunnelField(tunnel: HandedTunnel, now: Instant): Uint8Array {
  const { path, provenMtu, rttMs } = tunnel;
  const parts = [field(1, peerIdBytes(tunnel.peer)), field(2, tunnel.noiseKey)];
  for (const session of tunnel.sessions) {
    const bytes = sessionBytes(session, now);
    parts.push(field(3, bytes));
    bytes.fill(0);
  }
  if (path?.kind === 'direct') parts.push(field(4, utf8(path.endpoint)));
  if (path?.kind === 'relay') parts.push(field(5, peerIdBytes(path.via)));
  for (const endpoint of tunnel.observed) parts.push(field(6, utf8(endpoint)));
  if (provenMtu !== undefined) parts.push(field(7, u32(provenMtu)));
  if (rttMs !== undefined) parts.push(field(8, u64(Math.round(rttMs * 1000))));
  parts.push(field(9, trafficBytes(tunnel.traffic, now)));
  const out = field(3, ...parts);
  for (const part of parts) part.fill(0);
  return out;
}

function readTunnel(bytes: Uint8Array, now: Instant): HandedTunnel | undefined {
  const fields = fieldsOf(bytes);
  if (fields === undefined) return undefined;
  const peer = single(fields, 1, readPeer);
  const noiseKey = single(fields, 2, (value) => (value.length === 32 ? value.slice() : undefined));
  if (peer === undefined || noiseKey === undefined) return undefined;
  const sessions = all(fields, 3, (value) => readSession(value, peer, now));
  const direct = optional(fields, 4, readEndpoint);
  const relay = optional(fields, 5, readPeer);
  const observed = all(fields, 6, readEndpoint);
  const mtu = optional(fields, 7, (value) => (value.length < 4 ? undefined : readU32LE(value, 0)));
  const rtt = optional(fields, 8, readCount);
  const traffic = optional(fields, 9, (value) => readTraffic(value, now));
  if (!sessions || !direct || !relay || !observed || !mtu || !rtt || !traffic) return undefined;
  if (new Set(sessions.map(({ role }) => role)).size !== sessions.length) return undefined;
  return {
    peer,
    noiseKey,
    sessions,
    path: pathOf(direct.value, relay.value),
    observed,
    provenMtu: mtu.value,
    rttMs: rtt.value === undefined ? undefined : rtt.value / 1000,
    traffic: traffic.value ?? NO_STATS,
  };
}

function pathOf(endpoint: Endpoint | undefined, via: PeerId | undefined): Path | undefined {
  if (endpoint !== undefined) return { kind: 'direct', endpoint };
  return via === undefined ? undefined : { kind: 'relay', via };
}

function sessionBytes(session: HandedSession, now: Instant): Uint8Array {
  const { progress } = session;
  const out = new Uint8Array(SESSION_LENGTH);
  writeU32LE(out, 0, session.localIndex);
  writeU32LE(out, 4, session.remoteIndex);
  out[8] = suiteId(session.suite);
  out[9] =
    (session.peerTakesMarks ? TAKES_MARKS : 0) |
    (session.initiator ? INITIATOR : 0) |
    (progress.confirmed ? CONFIRMED : 0);
  out[10] = SESSION_ROLES.indexOf(session.role);
  writeU32LE(out, 12, session.peerMtu);
  writeU64LE(out, 16, ageOf(session.establishedAt, now));
  writeU64LE(out, 24, session.peerEpoch);
  writeU64LE(out, 32, progress.sent);
  writeU64LE(out, 40, progress.failedOpens);
  out.set(session.sendKey, KEYS_AT);
  out.set(session.receiveKey, KEYS_AT + 32);
  out.set(progress.replayWindow, KEYS_AT + 64);
  return out;
}

function readSession(bytes: Uint8Array, peer: PeerId, now: Instant): HandedSession | undefined {
  if (bytes.length < SESSION_LENGTH) return undefined;
  const suite = suiteFromId(bytes[8]!);
  const role = SESSION_ROLES[bytes[10]!];
  const flags = bytes[9]!;
  const localIndex = readU32LE(bytes, 0);
  const counts = [16, 24, 32, 40, KEYS_AT + 64].map((at) => readU64LE(bytes, at));
  const [ageMs, peerEpoch, sent, failedOpens] = counts as [number, number, number, number];
  if (suite === undefined || role === undefined || localIndex === 0) return undefined;
  if (!counts.every((count) => Number.isSafeInteger(count))) return undefined;
  return {
    peer,
    localIndex,
    remoteIndex: readU32LE(bytes, 4),
    suite,
    peerTakesMarks: (flags & TAKES_MARKS) !== 0,
    sendKey: keyAt(bytes, KEYS_AT),
    receiveKey: keyAt(bytes, KEYS_AT + 32),
    role,
    initiator: (flags & INITIATOR) !== 0,
    establishedAt: after(now, -ageMs),
    peerEpoch,
    peerMtu: readU32LE(bytes, 12),
    progress: {
      sent,
      failedOpens,
      confirmed: (flags & CONFIRMED) !== 0,
      replayWindow: bytes.slice(KEYS_AT + 64, SESSION_LENGTH),
    },
  };
}

function keyAt(bytes: Uint8Array, at: number): Uint8Array {
  const key = secretBytes(32);
  key.set(bytes.subarray(at, at + 32));
  return key;
}

function trafficBytes(stats: TunnelStats, now: Instant): Uint8Array {
  const out = new Uint8Array(TRAFFIC_LENGTH);
  const age = (at: Instant | undefined): number => (at === undefined ? 0 : ageOf(at, now) + 1);
  const values = [
    ...[stats.sentPackets, stats.sentBytes, stats.receivedPackets, stats.receivedBytes],
    ...[stats.droppedPackets, stats.sentIpBytes, stats.receivedIpBytes],
    ...[age(stats.lastReceivedAt), age(stats.lastSentAt)],
  ];
  for (const [i, value] of values.entries()) writeU64LE(out, 8 * i, value);
  return out;
}

function readTraffic(bytes: Uint8Array, now: Instant): TunnelStats | undefined {
  if (bytes.length < TRAFFIC_LENGTH) return undefined;
  const values = Array.from({ length: 9 }, (_, i) => readU64LE(bytes, 8 * i));
  if (!values.every((value) => Number.isSafeInteger(value))) return undefined;
  const at = (age: number): Instant | undefined => (age === 0 ? undefined : after(now, 1 - age));
  return {
    sentPackets: values[0]!,
    sentBytes: values[1]!,
    receivedPackets: values[2]!,
    receivedBytes: values[3]!,
    droppedPackets: values[4]!,
    sentIpBytes: values[5]!,
    receivedIpBytes: values[6]!,
    lastReceivedAt: at(values[7]!),
    lastSentAt: at(values[8]!),
  };
}

function readPeer(bytes: Uint8Array): PeerId | undefined {
  return bytes.length === PEER_ID_LENGTH ? peerIdFromBytes(bytes) : undefined;
}

function readEndpoint(bytes: Uint8Array): Endpoint | undefined {
  const text = utf8Text(bytes);
  const endpoint = text === undefined ? undefined : parseEndpoint(text);
  return endpoint === text ? endpoint : undefined;
}

function readCount(bytes: Uint8Array): number | undefined {
  const count = bytes.length < 8 ? Number.NaN : readU64LE(bytes, 0);
  return Number.isSafeInteger(count) ? count : undefined;
}

function readCounter(bytes: Uint8Array): readonly [string, number] | undefined {
  const count = readCount(bytes);
  const name = utf8Text(bytes.subarray(8));
  return count === undefined || name === undefined ? undefined : [name, count];
}

interface Field {
  readonly tag: number;
  readonly value: Uint8Array;
}

function field(tag: number, ...values: readonly Uint8Array[]): Uint8Array {
  const value = concat(...values);
  const out = new Uint8Array(HEAD + value.length);
  out[0] = tag;
  writeU32LE(out, 1, value.length);
  out.set(value, HEAD);
  value.fill(0);
  return out;
}

function fieldsOf(bytes: Uint8Array): Field[] | undefined {
  const out: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < HEAD) return undefined;
    const end = at + HEAD + readU32LE(bytes, at + 1);
    if (end > bytes.length) return undefined;
    out.push({ tag: bytes[at]!, value: bytes.subarray(at + HEAD, end) });
    at = end;
  }
  return out;
}

/** What all fields of a tag hold; undefined where one is wrong. */
function all<T>(
  fields: readonly Field[],
  tag: number,
  read: (value: Uint8Array) => T | undefined,
): T[] | undefined {
  const out: T[] = [];
  for (const { value } of fields.filter((each) => each.tag === tag)) {
    const one = read(value);
    if (one === undefined) return undefined;
    out.push(one);
  }
  return out;
}

/** What the one field of a tag holds; undefined where it is wrong, or not there once. */
function single<T>(
  fields: readonly Field[],
  tag: number,
  read: (value: Uint8Array) => T | undefined,
): T | undefined {
  const values = all(fields, tag, read);
  return values?.length === 1 ? values[0] : undefined;
}

/** The same, but it may be missing. */
function optional<T>(
  fields: readonly Field[],
  tag: number,
  read: (value: Uint8Array) => T | undefined,
): { readonly value: T | undefined } | undefined {
  const values = all(fields, tag, read);
  return values === undefined || values.length > 1 ? undefined : { value: values[0] };
}

function ageOf(at: Instant, now: Instant): number {
  return Math.max(0, Math.round(now - at));
}

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  writeU32LE(out, 0, value);
  return out;
}

function u64(value: number): Uint8Array {
  const out = new Uint8Array(8);
  writeU64LE(out, 0, value);
  return out;
}
