import { printable } from '../../base/printable.ts';

/** The longest text of a row: a pod with its namespace, or the sentence of a warning. */
const MAX_LENGTH = 600;

/** A text of somebody else (names of pods and nodes are chosen by their makers) as the page may be given it. */
export function shown(text: string): string {
  return printable(text, MAX_LENGTH);
}

/** The same, where there may be none. */
export function shownOrNull(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : shown(text);
}
