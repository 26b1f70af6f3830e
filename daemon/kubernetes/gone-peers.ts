import type { PeerId } from '../../base/peer-id.ts';
import type { Member } from '../../gossip/model/gossip-output.ts';

/**
 * Which of the `peers`, owners of ranges and others, are gone for good: gossip says that they are dead, and the API of Kubernetes has no node of that
 * name any more, or another peer is alive under that name (the node lost its disk). A peer that is dead while its node
 * exists may come back.
 *
 * Of an owner that gossip never heard of nobody knows the name: all nodes were replaced since it was there. It is gone
 * if each node of the API is alive here as a peer, because then it is none of them. While a node of the API is missing
 * here, the owner may be that node, and it is left for people to remove (`weft rmpeer`).
 */
export function gonePeers(options: {
  readonly self: PeerId;
  readonly ownName: string;
  readonly peers: Iterable<PeerId>;
  readonly members: readonly Pick<Member, 'peer' | 'state' | 'info'>[];
  /** This node runs for long enough that whoever it never heard of is no more alive than the dead. */
  readonly settled: boolean;
  /** Names of all nodes in the API. */
  readonly nodeNames: ReadonlySet<string>;
}): PeerId[] {
  const { members, nodeNames, ownName, self, settled } = options;
  const memberByPeer = new Map(members.map((member) => [member.peer, member]));
  const aliveNames = new Set(members.flatMap(({ state, info }) => (state === 'alive' ? [info.name] : [])));
  const isEverybodyHere =
    nodeNames.has(ownName) && [...nodeNames].every((name) => name === ownName || aliveNames.has(name));
  return [...new Set(options.peers)].filter((peer) => {
    if (peer === self) return false;
    const member = memberByPeer.get(peer);
    if (member === undefined) return settled && isEverybodyHere;
    const { state, info } = member;
    const dead = state === 'dead' || state === 'left' || (state === 'unknown' && settled);
    return dead && (!nodeNames.has(info.name) || aliveNames.has(info.name));
  });
}

/**
 * Whether it is for us to look for peers that are gone: of those alive who can speak to the API, the one with the
 * lowest id does. Where two believe that they are it, no harm is done: each removal has one object.
 */
export function isCaretaker(self: PeerId, aliveWithApi: Iterable<PeerId>): boolean {
  for (const peer of aliveWithApi) if (peer < self) return false;
  return true;
}
