import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RemovalStatus } from '../../control/control-protocol.ts';
import { nameOf, type StatusContext } from './status-context.ts';

/** What a view of removals looks at. */
type RemovalContext = Pick<StatusContext, 'node' | 'name'>;

/** The removals that this node drives. */
export function removalRows(context: RemovalContext, now: Instant): RemovalStatus[] {
  return context.node.ipam.status().pending.removals.map(({ peer, phase, waitUntil, missing }) => ({
    name: nameOf(context, peer),
    peerId: peer,
    phase,
    secondsLeft: waitUntil === undefined ? null : Math.max(0, Math.ceil((waitUntil - now) / 1000)),
    votes: missing
      ? {
          needed: missing.needed,
          of: missing.of,
          missing: missing.peers.map((each) => withState(context, each)),
        }
      : null,
  }));
}

/** A peer by its name, and how it stands if it is not alive: `db-2 (left)`. */
export function withState(context: RemovalContext, peer: PeerId): string {
  const member = context.node.gossip.members().find((each) => each.peer === peer);
  const name = nameOf(context, peer);
  if (peer === context.node.peer || member?.state === 'alive') return name;
  return `${name} (${member?.state ?? 'unknown'})`;
}
