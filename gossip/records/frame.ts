import { concat, readU64LE, writeU64LE } from '../../base/bytes.ts';
import { type Endpoint, parseEndpoint } from '../../base/endpoint.ts';
import { PEER_ID_LENGTH, type PeerId, peerIdBytes, peerIdFromBytes } from '../../base/peer-id.ts';
import { fail, ok, type Result } from '../../base/result.ts';
import type { MemberState } from '../model/gossip-output.ts';
import { decodeMsgpack, encodeMsgpack } from '../model/msgpack.ts';
import {
  type HashedRecord,
  isWellFormedRecord,
  MAX_EPOCH,
  MAX_SEQUENCE,
  type SignedRecord,
  SLOT_CODE,
  type Slot,
  slotOfCode,
  type Version,
} from '../model/record.ts';
import {
  decodeRumours,
  encodeRumours,
  RUMOUR_LENGTH,
  type Rumour,
  stateCode,
  stateOfCode,
} from '../model/rumour.ts';
import { BUCKET_COUNT, FINGERPRINT_LENGTH, fingerprint } from './record-store.ts';

/**
 * What travels over an overlay link.
 *
 * ```
 * 0         1      2
 * | version | kind | body: one MessagePack value
 * |    1    |  1   | …                                   at most 65,000 bytes in all
 * ```
 *
 * | kind | name | body |
 * |---|---|---|
 * | 1 | records   | array of [origin bin 32, slot, epoch, sequence, payload bin, signature bin 64, state] |
 * | 2 | digest    | bin 8: root fingerprint of the sender's store |
 * | 3 | buckets   | bin 512: fingerprints of its 64 buckets |
 * | 4 | versions  | [bin: numbers of the buckets listed in full, bin: n × 57 entries] |
 * | 5 | want      | bin: n × 33, origin and slot of records asked for |
 * | 6 | rumours   | bin: n × 57, see rumour.ts |
 * | 7 | redirect  | array of at most 8 endpoints: where links are to be had |
 * | 8 | keepalive | nil |
 * | 9 | message   | bin, at most 1,000: for the core beyond that knows what it means |
 *
 * A versions entry is origin 32 ‖ slot 1 ‖ epoch 8 LE ‖ sequence 8 LE ‖ fingerprint 8.
 *
 * Other versions and kinds are skipped, further elements of an array ignored, so that later versions can add.
 */
export type Frame =
  | { readonly kind: 'records'; readonly records: readonly SharedRecord[] }
  | { readonly kind: 'digest'; readonly root: Uint8Array }
  | { readonly kind: 'buckets'; readonly fingerprints: Uint8Array }
  | {
      readonly kind: 'versions';
      readonly buckets: readonly number[];
      readonly entries: readonly VersionEntry[];
    }
  | { readonly kind: 'want'; readonly wanted: readonly WantedRecord[] }
  | { readonly kind: 'rumours'; readonly rumours: readonly Rumour[] }
  | { readonly kind: 'redirect'; readonly endpoints: readonly Endpoint[] }
  | { readonly kind: 'keepalive' }
  | { readonly kind: 'message'; readonly bytes: Uint8Array };

/** A record with what the sender believes of its origin's life (hearsay, unsigned). */
export interface SharedRecord {
  readonly record: SignedRecord;
  readonly state: MemberState;
}

/** One line of a comparison: which version of a record the sender holds. */
export interface VersionEntry extends Version {
  readonly origin: PeerId;
  readonly slot: Slot;
  /** First 8 bytes of the record's hash. */
  readonly fingerprint: Uint8Array;
}

/** What `held` is listed as. */
export function versionEntryOf(held: HashedRecord): VersionEntry {
  const { origin, slot, epoch, sequence } = held.record;
  return { origin, slot, epoch, sequence, fingerprint: fingerprint(held) };
}

/** The name of a record that the sender lacks. */
export interface WantedRecord {
  readonly origin: PeerId;
  readonly slot: Slot;
}

const FRAME_VERSION = 1;
export const MAX_FRAME_LENGTH = 65_000;
/** Entries in one versions frame; longer lists are split. 57,000 bytes. */
export const MAX_VERSION_ENTRIES = 1000;
export const MAX_WANTED = 1000;
export const MAX_FRAME_RUMOURS = 1000;
export const MAX_REDIRECTS = 8;
/** Records in one frame, whatever their size. */
const MAX_FRAME_RECORDS = 400;

const ENTRY_LENGTH = PEER_ID_LENGTH + 1 + 8 + 8 + FINGERPRINT_LENGTH;
const WANTED_LENGTH = PEER_ID_LENGTH + 1;
/** MessagePack and header overhead of one record beyond its payload, rounded up. */
const RECORD_OVERHEAD = 160;
const BOUNDS = { maxDepth: 2, maxValues: 16 * MAX_FRAME_RECORDS };

const KIND_CODE = {
  records: 1,
  digest: 2,
  buckets: 3,
  versions: 4,
  want: 5,
  rumours: 6,
  redirect: 7,
  keepalive: 8,
  message: 9,
} as const;
const KINDS = new Map(Object.entries(KIND_CODE).map(([kind, code]) => [code, kind as Frame['kind']]));

/** Bytes of one message. */
const MAX_MESSAGE_LENGTH = 1000;

/** `unknown`: a version or kind of the future, to be skipped and counted. The others are faults of the sender. */
export type FrameFault = 'oversized' | 'unknown' | 'malformed';

/** The bytes of a frame. The caller keeps its lists within the limits above. */
export function encodeFrame(frame: Frame): Uint8Array {
  return concat(Uint8Array.of(FRAME_VERSION, KIND_CODE[frame.kind]), encodeMsgpack(encodeBody(frame)));
}

/** Groups records so that each group fits a frame. */
export function splitRecords(records: Iterable<SharedRecord>): SharedRecord[][] {
  const out: SharedRecord[][] = [];
  let group: SharedRecord[] = [];
  let length = 0;
  for (const shared of records) {
    const size = shared.record.payload.length + RECORD_OVERHEAD;
    if (group.length > 0 && (length + size > MAX_FRAME_LENGTH || group.length >= MAX_FRAME_RECORDS)) {
      out.push(group);
      group = [];
      length = 0;
    }
    group.push(shared);
    length += size;
  }
  if (group.length > 0) out.push(group);
  return out;
}

/** Reads a frame. Records are within their bounds but not verified. Never throws. */
export function decodeFrame(bytes: Uint8Array): Result<Frame, FrameFault> {
  if (bytes.length > MAX_FRAME_LENGTH) return fail('oversized');
  if (bytes.length < 3) return fail('malformed');
  const kind = KINDS.get(bytes[1] as (typeof KIND_CODE)[Frame['kind']]);
  if (bytes[0] !== FRAME_VERSION || !kind) return fail('unknown');
  const decoded = decodeMsgpack(bytes.subarray(2), BOUNDS);
  const frame = decoded && decodeBody(kind, decoded.value);
  return frame ? ok(frame) : fail('malformed');
}

function encodeBody(frame: Frame): unknown {
  switch (frame.kind) {
    case 'records':
      return frame.records.map(({ record, state }) => [
        peerIdBytes(record.origin),
        SLOT_CODE[record.slot],
        record.epoch,
        record.sequence,
        record.payload,
        record.signature,
        stateCode(state),
      ]);
    case 'digest':
      return frame.root;
    case 'buckets':
      return frame.fingerprints;
    case 'versions':
      return [Uint8Array.from(frame.buckets), concat(...frame.entries.map(encodeEntry))];
    case 'want':
      return concat(
        ...frame.wanted.flatMap(({ origin, slot }) => [peerIdBytes(origin), Uint8Array.of(SLOT_CODE[slot])]),
      );
    case 'rumours':
      return encodeRumours(frame.rumours);
    case 'redirect':
      return frame.endpoints;
    case 'keepalive':
      return null;
    case 'message':
      return frame.bytes;
  }
}

function decodeBody(kind: Frame['kind'], body: unknown): Frame | undefined {
  switch (kind) {
    case 'records':
      return decodeRecords(body);
    case 'digest':
      return isBytes(body) && body.length === FINGERPRINT_LENGTH
        ? { kind, root: new Uint8Array(body) }
        : undefined;
    case 'buckets':
      return isBytes(body) && body.length === BUCKET_COUNT * FINGERPRINT_LENGTH
        ? { kind, fingerprints: new Uint8Array(body) }
        : undefined;
    case 'versions':
      return decodeVersions(body);
    case 'want':
      return decodeWant(body);
    case 'rumours': {
      const rumours =
        isBytes(body) && body.length <= MAX_FRAME_RUMOURS * RUMOUR_LENGTH ? decodeRumours(body) : undefined;
      return rumours && { kind, rumours };
    }
    case 'redirect':
      return decodeRedirect(body);
    case 'keepalive':
      return { kind };
    case 'message':
      return isBytes(body) && body.length <= MAX_MESSAGE_LENGTH
        ? { kind, bytes: new Uint8Array(body) }
        : undefined;
  }
}

function decodeRecords(body: unknown): Frame | undefined {
  if (!Array.isArray(body) || body.length > MAX_FRAME_RECORDS) return undefined;
  const records: SharedRecord[] = [];
  for (const item of body) {
    if (!Array.isArray(item) || item.length < 7) return undefined;
    const [origin, code, epoch, sequence, payload, signature, state] = item as unknown[];
    if (!isBytes(origin) || origin.length !== PEER_ID_LENGTH || !isBytes(payload) || !isBytes(signature)) {
      return undefined;
    }
    if (!isNumber(code) || !isNumber(epoch) || !isNumber(sequence) || !isNumber(state)) return undefined;
    const slot = slotOfCode(code);
    if (!slot) continue; // a slot of a later version
    const record: SignedRecord = {
      origin: peerIdFromBytes(origin),
      slot,
      epoch,
      sequence,
      // Copies: msgpackr's are views, and a kept record must not keep the whole frame.
      payload: new Uint8Array(payload),
      signature: new Uint8Array(signature),
    };
    if (!isWellFormedRecord(record)) return undefined;
    records.push({ record, state: stateOfCode(state) });
  }
  return { kind: 'records', records };
}

function encodeEntry(entry: VersionEntry): Uint8Array {
  const out = new Uint8Array(ENTRY_LENGTH);
  out.set(peerIdBytes(entry.origin));
  out[32] = SLOT_CODE[entry.slot];
  writeU64LE(out, 33, entry.epoch);
  writeU64LE(out, 41, entry.sequence);
  out.set(entry.fingerprint, 49);
  return out;
}

function decodeVersions(body: unknown): Frame | undefined {
  if (!Array.isArray(body)) return undefined;
  const [buckets, packed] = body as unknown[];
  if (!isBytes(buckets) || buckets.length > BUCKET_COUNT || buckets.some((n) => n >= BUCKET_COUNT))
    return undefined;
  if (!isBytes(packed) || packed.length % ENTRY_LENGTH !== 0) return undefined;
  if (packed.length > MAX_VERSION_ENTRIES * ENTRY_LENGTH) return undefined;
  const entries: VersionEntry[] = [];
  for (let at = 0; at < packed.length; at += ENTRY_LENGTH) {
    const slot = slotOfCode(packed[at + 32]!);
    const epoch = readU64LE(packed, at + 33);
    const sequence = readU64LE(packed, at + 41);
    if (epoch > MAX_EPOCH || sequence > MAX_SEQUENCE) return undefined;
    if (!slot) continue;
    const origin = peerIdFromBytes(packed.subarray(at, at + PEER_ID_LENGTH));
    entries.push({
      origin,
      slot,
      epoch,
      sequence,
      fingerprint: new Uint8Array(packed.subarray(at + 49, at + 57)),
    });
  }
  return { kind: 'versions', buckets: [...new Set(buckets)], entries };
}

function decodeWant(body: unknown): Frame | undefined {
  if (!isBytes(body) || body.length % WANTED_LENGTH !== 0 || body.length > MAX_WANTED * WANTED_LENGTH)
    return undefined;
  const wanted: WantedRecord[] = [];
  for (let at = 0; at < body.length; at += WANTED_LENGTH) {
    const slot = slotOfCode(body[at + 32]!);
    if (slot) wanted.push({ origin: peerIdFromBytes(body.subarray(at, at + PEER_ID_LENGTH)), slot });
  }
  return { kind: 'want', wanted };
}

function decodeRedirect(body: unknown): Frame | undefined {
  if (!Array.isArray(body) || body.length > MAX_REDIRECTS) return undefined;
  const endpoints: Endpoint[] = [];
  for (const item of body) {
    const parsed = typeof item === 'string' && item.length <= 64 ? parseEndpoint(item) : undefined;
    if (!parsed) return undefined;
    endpoints.push(parsed);
  }
  return { kind: 'redirect', endpoints };
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
