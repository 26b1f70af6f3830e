import { isNamespaceName } from './attachment-file.ts';

/**
 * In which namespaces some policy of any tier may select a pod, as of the last complete copy that weft-npc had of the
 * API. weft-npc keeps it as `governed.json` in its state folder; weftd reads it where weft-npc cannot be asked.
 *
 * ```
 * {"version": 1, "all": false, "namespaces": ["a", "b"], "known": ["a", "b", "c"]}
 * ```
 *
 * weft-npc writes it before it loads a rule of a policy in a namespace that the file does not name yet.
 */
export interface GovernedNamespaces {
  /** Every namespace, also those that come later. */
  readonly all: boolean;
  readonly namespaces: ReadonlySet<string>;
  /**
   * All namespaces there were, where some policy goes by their labels: one that is not among them came later, and may have
   * such labels. Undefined where none does.
   */
  readonly known?: ReadonlySet<string> | undefined;
}

/** The name of the file within the state folder of weft-npc. */
export const GOVERNED_FILE = 'governed.json';

/** Longest file that is read: 100,000 namespaces of the longest name. */
export const MAX_GOVERNED_BYTES = 8 * 1024 * 1024;

const VERSION = 1;

export function encodeGoverned({ all, namespaces, known }: GovernedNamespaces): string {
  const more = known === undefined ? {} : { known: [...known].sort() };
  return `${JSON.stringify({ version: VERSION, all, namespaces: [...namespaces].sort(), ...more })}\n`;
}

/** Reads what {@link encodeGoverned} makes, which is not trusted; undefined where it is anything else. */
export function parseGoverned(text: string): GovernedNamespaces | undefined {
  if (text.length > MAX_GOVERNED_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, all, namespaces, known } = value as Readonly<Record<string, unknown>>;
  if (version !== VERSION || typeof all !== 'boolean') return undefined;
  if (!Array.isArray(namespaces) || !namespaces.every(isNamespaceName)) return undefined;
  if (known === undefined) return { all, namespaces: new Set(namespaces) };
  if (!Array.isArray(known) || !known.every(isNamespaceName)) return undefined;
  return { all, namespaces: new Set(namespaces), known: new Set(known) };
}

/** Whether some policy may select a pod of that namespace; of a pod whose namespace is not known: any pod at all. */
export function mayBeSelected(governed: GovernedNamespaces, namespace: string | undefined): boolean {
  if (governed.all) return true;
  const { namespaces, known } = governed;
  if (namespace === undefined) return namespaces.size > 0 || known !== undefined;
  return namespaces.has(namespace) || known?.has(namespace) === false;
}
