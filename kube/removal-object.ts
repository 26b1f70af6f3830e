import { type PeerId, parsePeerId } from '../base/peer-id.ts';
import type { ConfigMap } from './objects.ts';
import { labels } from './ring-object.ts';

/** The removal of one peer, as its ConfigMap holds it. What it means is told in ipam/model/authority.ts. */
export interface RemovalData {
  readonly subject: PeerId;
  readonly heir: PeerId;
  readonly phase: 'fenced' | 'lifted' | 'removed';
  /** Bytes of the subject's ring log that count; 0 before it is removed. */
  readonly cut: number;
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
  const { subject, heir, phase, cut } = removal;
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
    data: { peer: subject, heir, phase, cut: String(cut), node: nodeName },
  };
}

/** What an object says; undefined for any other object, and where somebody wrote something else into it. */
export function removalOf(object: ConfigMap): RemovalData | undefined {
  if (!object.name.startsWith(NAME_PREFIX)) return undefined;
  const { peer, heir: heirText, phase: word, cut: digits } = object.data;
  const subject = parsePeerId(peer ?? '');
  const heir = parsePeerId(heirText ?? '');
  const phase = PHASES.find((each) => each === word);
  if (subject === undefined || heir === undefined || phase === undefined) return undefined;
  if (removalName(subject) !== object.name || !/^\d{1,9}$/.test(digits ?? '')) return undefined;
  return { subject, heir, phase, cut: Number(digits) };
}
