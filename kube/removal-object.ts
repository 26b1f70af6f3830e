import { type PeerId, parsePeerId } from '../base/peer-id.ts';
import { bytesOfBase64, textOfBase64 } from './base64.ts';
import type { ConfigMap } from './objects.ts';
import { labels } from './ring-object.ts';

/** The removal of one peer, as its ConfigMap holds it. What it means is told in ipam/model/authority.ts. */
export interface RemovalData {
  readonly subject: PeerId;
  readonly heir: PeerId;
  readonly phase: 'fenced' | 'lifted' | 'removed';
  /** Bytes of the subject's ring log that count; before it is removed, how many were shown by anybody so far. */
  readonly cut: number;
  /** Those bytes; absent where there are none, or an older version wrote the object. */
  readonly log?: Uint8Array;
}

const NAME_PREFIX = 'weft-removal-';
/** Hex digits of the peer id in the name: 128 bits tell any two peers apart. */
const NAME_DIGITS = 32;
const PHASES = ['fenced', 'lifted', 'removed'] as const;

/** The name of the object for a peer: one for each, so that creating and updating it is the agreement. */
export function removalName(subject: PeerId): string {
  return NAME_PREFIX + subject.slice(0, NAME_DIGITS);
}

/**
 * The object to be created, or, with the version that is to be replaced, to be updated. Once the removal is decided it
 * is immutable. `nodeName` is for people.
 */
export function removalObject(
  namespace: string,
  removal: RemovalData,
  nodeName: string,
  resourceVersion?: string,
): Record<string, unknown> {
  const { subject, heir, phase, cut, log } = removal;
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: removalName(subject),
      namespace,
      labels: labels(),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    ...(phase === 'removed' ? { immutable: true } : {}),
    data: {
      peer: subject,
      heir,
      phase,
      cut: String(cut),
      node: nodeName,
      ...(log === undefined ? {} : { log: textOfBase64(log) }),
    },
  };
}

/** What an object says; undefined for any other object, and where somebody wrote something else into it. */
export function removalOf(object: ConfigMap): RemovalData | undefined {
  if (!object.name.startsWith(NAME_PREFIX)) return undefined;
  const { peer, heir: heirText, phase: word, cut: digits, log: text } = object.data;
  const subject = parsePeerId(peer ?? '');
  const heir = parsePeerId(heirText ?? '');
  const phase = PHASES.find((each) => each === word);
  if (subject === undefined || heir === undefined || phase === undefined) return undefined;
  if (removalName(subject) !== object.name || !/^\d{1,9}$/.test(digits ?? '')) return undefined;
  const cut = Number(digits);
  const log = text === undefined ? undefined : bytesOfBase64(text);
  if (text !== undefined && log?.length !== cut) return undefined;
  return log === undefined ? { subject, heir, phase, cut } : { subject, heir, phase, cut, log };
}
