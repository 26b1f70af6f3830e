import { textHash } from '../base/text-hash.ts';
import type { PolicyNode } from './model/cluster-objects.ts';

/**
 * The one node of all that speaks for `subject`, so that not every node does: which one it is follows from the names alone,
 * and where a node comes or goes, little else changes. Undefined where there is none.
 */
export function chosenNode(subject: string, nodeNames: Iterable<string>): string | undefined {
  let chosen: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const name of nodeNames) {
    const rank = textHash(`${subject}/${name}`);
    if (rank > least || (rank === least && chosen !== undefined && name > chosen)) continue;
    [chosen, least] = [name, rank];
  }
  return chosen;
}

/**
 * The names of those that may be {@link chosenNode}: nodes that are ready, for one that is down tells nothing. All of them
 * where none is.
 */
export function speakers(nodes: Iterable<Pick<PolicyNode, 'name' | 'ready'>>): string[] {
  const all = [...nodes];
  const ready = all.filter((node) => node.ready);
  return (ready.length > 0 ? ready : all).map(({ name }) => name);
}
