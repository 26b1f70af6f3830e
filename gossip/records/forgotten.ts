import { concat, readU64LE, writeU64LE } from '../../base/bytes.ts';
import { PEER_ID_LENGTH, type PeerId, peerIdBytes, peerIdFromBytes } from '../../base/peer-id.ts';
import { compareVersions, MAX_EPOCH, MAX_SEQUENCE, type Version } from '../model/record.ts';

/**
 * Peers that are to be forgotten: `weft rmpeer` says so in a signed record of its node, slot `forgotten`.
 *
 * The record lists subjects, each with the version of the `node` record that is to go. Whoever holds that version (or
 * an older one) of a subject that is not present lets it go, and does not take it again, so that it does not come
 * back from a node that was away. A newer record is taken as ever: a subject that lives publishes one as soon as it
 * starts, or reads that it is listed. So nobody is silenced, and ownership is not touched, which hangs on slot `ring`.
 *
 * Blocked is only a version that was verified and held before: a list that names the highest version there is
 * cannot keep a peer out.
 */
export class Forgotten {
  /** Of each issuer, what its record lists. */
  readonly #listByIssuer = new Map<PeerId, readonly Forget[]>();
  readonly #issuersBySubject = new Map<PeerId, Map<PeerId, Version>>();
  /** What was let go, in the order in which that happened. */
  readonly #goneBySubject = new Map<PeerId, Version>();
  #size = 0;

  /** The `forgotten` record of `issuer` is held now, in place of an older one. */
  set(issuer: PeerId, list: readonly Forget[]): void {
    this.remove(issuer);
    if (this.#size + list.length > MAX_FORGETS) return;
    this.#listByIssuer.set(issuer, list);
    this.#size += list.length;
    for (const { subject, version } of list) {
      const issuers = this.#issuersBySubject.get(subject) ?? new Map<PeerId, Version>();
      issuers.set(issuer, version);
      this.#issuersBySubject.set(subject, issuers);
    }
  }

  /** The `forgotten` record of `issuer` is held no more. */
  remove(issuer: PeerId): void {
    const list = this.#listByIssuer.get(issuer) ?? [];
    this.#listByIssuer.delete(issuer);
    this.#size -= list.length;
    for (const { subject } of list) {
      const issuers = this.#issuersBySubject.get(subject);
      issuers?.delete(issuer);
      if (issuers?.size !== 0) continue;
      this.#issuersBySubject.delete(subject);
      this.#goneBySubject.delete(subject);
    }
  }

  /** What the record of `issuer` lists. */
  listOf(issuer: PeerId): readonly Forget[] {
    return this.#listByIssuer.get(issuer) ?? [];
  }

  /** Whether somebody says that this version of `subject` is to go. */
  isListed(subject: PeerId, version: Version): boolean {
    for (const upTo of this.#issuersBySubject.get(subject)?.values() ?? [])
      if (compareVersions(version, upTo) <= 0) return true;
    return false;
  }

  /** The record of that version was let go. */
  letGo(subject: PeerId, version: Version): void {
    this.#goneBySubject.delete(subject);
    this.#goneBySubject.set(subject, version);
    if (this.#goneBySubject.size <= MAX_GONE) return;
    for (const oldest of this.#goneBySubject.keys()) {
      this.#goneBySubject.delete(oldest);
      return;
    }
  }

  /** Whether a `node` record of that version is not to be taken. */
  isGone(subject: PeerId, version: Version): boolean {
    const gone = this.#goneBySubject.get(subject);
    return gone !== undefined && compareVersions(version, gone) <= 0;
  }
}

/** One line of a `forgotten` record. */
export interface Forget {
  readonly subject: PeerId;
  /** Of the `node` record that is to go. */
  readonly version: Version;
}

/** Lines of one record; the oldest make room. */
export const MAX_FORGETS_OF_ISSUER = 128;
/** Lines of all issuers together; lists beyond that are not looked at. */
const MAX_FORGETS = 16_384;
/** Peers let go whose record would not be taken again. */
const MAX_GONE = 4096;

const LINE_LENGTH = PEER_ID_LENGTH + 16;

/**
 * The payload of slot `forgotten`, the oldest line first:
 *
 * ```
 * 0         32          40             48
 * | subject | epoch LE  | sequence LE  | …    at most 128 lines
 * ```
 */
export function encodeForgets(list: readonly Forget[]): Uint8Array {
  return concat(
    ...list.map(({ subject, version }) => {
      const line = new Uint8Array(LINE_LENGTH);
      line.set(peerIdBytes(subject));
      writeU64LE(line, 32, version.epoch);
      writeU64LE(line, 40, version.sequence);
      return line;
    }),
  );
}

/** Undefined where it is no such payload. */
export function decodeForgets(payload: Uint8Array): Forget[] | undefined {
  if (payload.length % LINE_LENGTH !== 0 || payload.length > MAX_FORGETS_OF_ISSUER * LINE_LENGTH)
    return undefined;
  const list: Forget[] = [];
  for (let at = 0; at < payload.length; at += LINE_LENGTH) {
    const version = { epoch: readU64LE(payload, at + 32), sequence: readU64LE(payload, at + 40) };
    if (version.epoch > MAX_EPOCH || version.sequence > MAX_SEQUENCE) return undefined;
    list.push({ subject: peerIdFromBytes(payload.subarray(at, at + PEER_ID_LENGTH)), version });
  }
  return list;
}
