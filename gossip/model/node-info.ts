import {
  ADDRESS_BITS,
  type Address,
  addressBytes,
  addressFromBytes,
  type Family,
} from '../../base/address.ts';
import { concat } from '../../base/bytes.ts';
import { type Endpoint, parseEndpoint } from '../../base/endpoint.ts';
import { PEER_ID_LENGTH, type PeerId, peerIdBytes, peerIdFromBytes } from '../../base/peer-id.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import { decodeMsgpack, encodeMsgpack } from './msgpack.ts';
import { MAX_EPOCH, MAX_PAYLOAD_LENGTH } from './record.ts';

/** What a peer says of itself in its `node` record. Attributes only: the identity is the record's origin. */
export interface NodeInfo {
  /** Host name: 1 … 253 of `A–Z a–z 0–9 . _ -`. Two peers may claim the same. */
  readonly name: string;
  /** Where it listens, TCP and UDP alike; the most promising first. At most {@link MAX_ENDPOINTS}. */
  readonly endpoints: readonly Endpoint[];
  /** X25519 public key of its tunnels, 32 bytes. */
  readonly noiseKey: Uint8Array;
  /** Software version, 1 … 64 of `A–Z a–z 0–9 . _ + -`. */
  readonly version: string;
  /** Peers it holds an overlay link with, no repeats, at most {@link MAX_LINKS}. A claim: see overlay-graph.ts. */
  readonly links: readonly PeerId[];
  /** Its own overlay addresses, v4 and v6. A claim too: the ring says who owns an address. */
  readonly addresses: readonly Address[];
  /** Bitmap of cipher suites, u32; the meaning is crypto's. */
  readonly suites: number;
  /** MTU of its underlay in bytes, {@link MTU_MIN} … {@link MTU_MAX}. */
  readonly mtu: number;
  /** log2 of the addresses it could give away, rounded down; absent for a family of which it has none. */
  readonly free: { readonly [family in Family]?: number };
  /** It has no range of its own and asks for one. */
  readonly wantsRange?: boolean;
  /** It can speak to the authority that decides how the ring begins and which peers are removed. */
  readonly authority?: boolean;
  /**
   * The boot epoch from which on it has lost no session of its tunnels, where that is before the record's: the starts since
   * were take-overs. Absent: it has lost those of before the record's.
   */
  readonly sessionsSince?: number;
  /** It is shutting down on purpose: peers treat it as gone without suspecting it first. */
  readonly leaving?: boolean;
}

export const MAX_ENDPOINTS = 16;
export const MTU_MIN = 576;
export const MTU_MAX = 65_535;
export const MAX_LINKS = 64;
const MAX_ADDRESSES = 8;
const NOISE_KEY_LENGTH = 32;
const NAME = /^[A-Za-z0-9._-]{1,253}$/;
const VERSION = /^[A-Za-z0-9._+-]{1,64}$/;
const BOUNDS = { maxDepth: 3, maxValues: 128 };

/**
 * The payload: a MessagePack map. Fields that a reader does not know are skipped, so later versions may add some.
 *
 * ```
 * { name: str, endpoints: [str], noiseKey: bin 32, version: str, links: bin n × 32, addresses: [bin 4 | bin 16],
 *   suites: uint, mtu: uint, free4?: uint, free6?: uint, wantsRange?: true, authority?: true, sessionsSince?: uint, leaving?: true }
 * ```
 *
 * Throws nothing; the caller answers for the bounds (see {@link decodeNodeInfo}, which tests hold to be its inverse).
 */
export function encodeNodeInfo(info: NodeInfo): Uint8Array {
  return encodeMsgpack({
    name: info.name,
    endpoints: info.endpoints,
    noiseKey: info.noiseKey,
    version: info.version,
    links: concat(...info.links.map(peerIdBytes)),
    addresses: info.addresses.map(addressBytes),
    suites: info.suites,
    mtu: info.mtu,
    ...(info.free[4] === undefined ? {} : { free4: info.free[4] }),
    ...(info.free[6] === undefined ? {} : { free6: info.free[6] }),
    ...(info.wantsRange ? { wantsRange: true } : {}),
    ...(info.authority ? { authority: true } : {}),
    ...(info.sessionsSince === undefined ? {} : { sessionsSince: info.sessionsSince }),
    ...(info.leaving ? { leaving: true } : {}),
  });
}

/** Reads a payload; every field is checked. `malformed`: no plain MessagePack map. `invalid`: a field out of bounds. */
export function decodeNodeInfo(payload: Uint8Array): Result<NodeInfo, 'malformed' | 'invalid'> {
  if (payload.length > MAX_PAYLOAD_LENGTH.node) return fail('malformed');
  const decoded = decodeMsgpack(payload, BOUNDS)?.value;
  if (typeof decoded !== 'object' || decoded === null || Array.isArray(decoded)) return fail('malformed');
  if (decoded instanceof Uint8Array) return fail('malformed');
  const field = (name: string): unknown =>
    Object.hasOwn(decoded, name) ? Reflect.get(decoded, name) : undefined;

  const name = matching(field('name'), NAME);
  const version = matching(field('version'), VERSION);
  const endpoints = list(field('endpoints'), MAX_ENDPOINTS, canonicalEndpoint);
  const addresses = list(field('addresses'), MAX_ADDRESSES, address);
  const links = peers(field('links'));
  const noiseKey = field('noiseKey');
  const suites = integer(field('suites'), 0, 2 ** 32 - 1);
  const mtu = integer(field('mtu'), MTU_MIN, MTU_MAX);
  const free4 = optional(field('free4'), (value) => integer(value, 0, ADDRESS_BITS[4]));
  const free6 = optional(field('free6'), (value) => integer(value, 0, ADDRESS_BITS[6]));
  const wantsRange = optional(field('wantsRange'), flag);
  const authority = optional(field('authority'), flag);
  const sessionsSince = optional(field('sessionsSince'), (value) => integer(value, 0, MAX_EPOCH));
  const leaving = optional(field('leaving'), flag);
  if (name === undefined || version === undefined || !endpoints || !addresses || !links)
    return fail('invalid');
  if (!(noiseKey instanceof Uint8Array) || noiseKey.length !== NOISE_KEY_LENGTH) return fail('invalid');
  if (suites === undefined || mtu === undefined) return fail('invalid');
  if (!free4 || !free6 || !wantsRange || !authority || !sessionsSince || !leaving) return fail('invalid');
  return ok({
    name,
    endpoints,
    noiseKey: new Uint8Array(noiseKey), // a copy: msgpackr's is a view of the whole input
    version,
    links,
    addresses,
    suites,
    mtu,
    free: {
      ...(free4.value === undefined ? {} : { 4: free4.value }),
      ...(free6.value === undefined ? {} : { 6: free6.value }),
    },
    ...(wantsRange.value ? { wantsRange: true } : {}),
    ...(authority.value ? { authority: true } : {}),
    ...(sessionsSince.value === undefined ? {} : { sessionsSince: sessionsSince.value }),
    ...(leaving.value ? { leaving: true } : {}),
  });
}

function matching(value: unknown, pattern: RegExp): string | undefined {
  return typeof value === 'string' && pattern.test(value) ? value : undefined;
}

function integer(value: unknown, min: number, max: number): number | undefined {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max
    ? (value as number)
    : undefined;
}

function flag(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

/** `{value: undefined}` where the field is absent, undefined where it is there and bad. */
function optional<T>(
  value: unknown,
  read: (value: unknown) => T | undefined,
): { readonly value: T | undefined } | undefined {
  if (value === undefined) return { value: undefined };
  const out = read(value);
  return out === undefined ? undefined : { value: out };
}

function list<T>(value: unknown, max: number, read: (item: unknown) => T | undefined): T[] | undefined {
  if (!Array.isArray(value) || value.length > max) return undefined;
  const out: T[] = [];
  for (const item of value) {
    const read1 = read(item);
    if (read1 === undefined) return undefined;
    out.push(read1);
  }
  return out;
}

function canonicalEndpoint(value: unknown): Endpoint | undefined {
  if (typeof value !== 'string' || value.length > 64) return undefined;
  const parsed = parseEndpoint(value);
  return parsed === value ? parsed : undefined;
}

function address(value: unknown): Address | undefined {
  return value instanceof Uint8Array ? addressFromBytes(value) : undefined;
}

function peers(value: unknown): PeerId[] | undefined {
  if (!(value instanceof Uint8Array) || value.length % PEER_ID_LENGTH !== 0) return undefined;
  if (value.length > MAX_LINKS * PEER_ID_LENGTH) return undefined;
  const out: PeerId[] = [];
  for (let at = 0; at < value.length; at += PEER_ID_LENGTH) {
    out.push(peerIdFromBytes(value.subarray(at, at + PEER_ID_LENGTH)));
  }
  return new Set(out).size === out.length ? out : undefined;
}
