import { type PeerId, shortPeerId } from '../../base/peer-id.ts';
import { type Warning, warningOf } from '../../base/warning.ts';
import type { MemberState } from '../../gossip/model/gossip-output.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';

/** A node as far as its name goes. */
export interface NamedMember {
  readonly peer: PeerId;
  readonly name: string;
  readonly state: MemberState;
}

/**
 * A warning for each name that several nodes have which are alive: commands that take a name cannot tell them apart, and
 * it often means that a host was cloned.
 *
 * @param members all that gossip knows, this node too.
 */
export function sharedNames(members: readonly NamedMember[]): Warning[] {
  const peersByName = new Map<string, PeerId[]>();
  for (const { peer, name, state } of members) {
    if (state !== 'alive' && state !== 'suspect') continue;
    const peers = peersByName.get(name) ?? [];
    peers.push(peer);
    peersByName.set(name, peers);
  }
  return [...peersByName]
    .filter(([, peers]) => peers.length > 1)
    .map(([name, peers]) => {
      const ids = peers.map((peer) => shortPeerId(peer)).join(', ');
      return warningOf(DAEMON_WARNINGS, 'W_SHARED_NAME', { count: peers.length, name, ids });
    });
}
