import type { Instant } from '../../base/instant.ts';
import { printable } from '../../base/printable.ts';
import { type Warning, warningOf } from '../../base/warning.ts';
import type { Member } from '../../gossip/model/gossip-output.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';

/** A node that is restarted or updated is back by then. */
const UNREACHED_AFTER_MS = 300_000;
/** Names that are told. */
const MAX_NAMES = 10;

/**
 * Warns of nodes that the API has and Weft does not reach, though it did once: their pods are cut off from the others. What
 * Weft never saw is not Weft's: a node without the DaemonSet.
 */
export function unreachedNodes(options: {
  readonly members: readonly Pick<Member, 'state' | 'since' | 'info'>[];
  /** Names of all nodes in the API. */
  readonly nodeNames: ReadonlySet<string>;
  readonly now: Instant;
}): Warning | undefined {
  const { members, nodeNames, now } = options;
  const present = new Set(
    members.flatMap(({ state, info }) => (state === 'alive' || state === 'suspect' ? [info.name] : [])),
  );
  const names = new Set<string>();
  for (const { state, since, info } of members) {
    if (state !== 'dead' && state !== 'left') continue;
    if (now - since < UNREACHED_AFTER_MS || present.has(info.name) || !nodeNames.has(info.name)) continue;
    names.add(info.name);
  }
  if (names.size === 0) return undefined;
  const sorted = [...names].sort();
  const more = sorted.length > MAX_NAMES ? `, and ${sorted.length - MAX_NAMES} more` : '';
  const nodes =
    sorted
      .slice(0, MAX_NAMES)
      .map((name) => printable(name, 100))
      .join(', ') + more;
  return warningOf(DAEMON_WARNINGS, 'W_NODES_UNREACHED', { nodes });
}
