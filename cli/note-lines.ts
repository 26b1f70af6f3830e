import { printable } from '../base/printable.ts';
import type { SilentNode } from '../control/flow-request.ts';

/** What stands beneath an answer: which nodes told and which did not, and what is missing of it. */
export function noteLines(answer: {
  readonly nodes?: number;
  readonly silent?: readonly SilentNode[];
  readonly notes: readonly string[];
}): string[] {
  const { nodes, silent = [], notes } = answer;
  const not = silent.map(({ node, reason }) => `; not of ${printable(node)}: ${printable(reason, 300)}`);
  const lines = [
    ...(nodes === undefined ? [] : [`of ${nodes} nodes${not.join('')}`]),
    ...notes.map((note) => `note: ${printable(note, 400)}`),
  ];
  return lines.length === 0 ? [] : ['', ...lines];
}
