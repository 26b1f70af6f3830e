import { isRecord } from '../../kube/objects.ts';
import { SharedValues } from './shared-values.ts';

/** Labels of an object. A map, since keys come from whoever may edit the object. */
export type Labels = ReadonlyMap<string, string>;

/** The label by which every namespace carries its own name; the API server sets it. */
export const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';

const NO_LABELS: Labels = new Map();

/** Sets of labels, each kept once however many objects carry it: the pods of one workload share theirs. */
export class LabelSets {
  readonly #sets = new SharedValues<Labels>();

  /** The labels in `metadata.labels`; what is no text is left out. */
  read(value: unknown): Labels {
    const entries = Object.entries(isRecord(value) ? value : {})
      .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
      .sort(([a], [b]) => (a < b ? -1 : 1));
    if (entries.length === 0) return NO_LABELS;
    return this.#sets.of(JSON.stringify(entries), () => new Map(entries));
  }
}

/** Whether both hold the same. */
export function sameLabels(a: Labels, b: Labels): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
