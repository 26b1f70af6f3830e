import type { PeerId } from '../../base/peer-id.ts';
import { WeftError } from '../../base/weft-error.ts';
import { nameOf, type StatusContext } from './status-context.ts';

/** The one peer that `who` means: a name, or the start of an id. Throws E_UNKNOWN_PEER, E_AMBIGUOUS_PEER. */
export function findPeer(context: Pick<StatusContext, 'node' | 'name'>, who: string): PeerId {
  const { node } = context;
  const known = new Set<PeerId>([
    ...node.gossip.members().map(({ peer }) => peer),
    ...node.ipam.owners().map(({ owner }) => owner),
  ]);
  const byName = [...known].filter((peer) => nameOf(context, peer) === who);
  const found = byName.length > 0 ? byName : [...known].filter((peer) => peer.startsWith(who));
  if (found.length === 1) return found[0]!;
  const remedy = "take a name or the start of an id from 'weft status'";
  if (found.length === 0) throw new WeftError('E_UNKNOWN_PEER', `no peer is called '${who}'`, remedy);
  throw new WeftError('E_AMBIGUOUS_PEER', `'${who}' may mean ${found.length} peers`, 'give the whole id');
}
