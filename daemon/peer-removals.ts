import type { Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import { formatRange } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import type { RemovePeerResult } from '../control/control-protocol.ts';
import type { RemoveFailure, RequestId } from '../ipam/model/types.ts';
import type { NodeLoop, Output } from './node-loop.io.ts';
import { findPeer } from './status/find-peer.ts';
import { withState } from './status/removal-view.ts';
import { nameOf, type StatusContext } from './status/status-context.ts';

/** The node, and the name that it has itself. */
type NamedNode = Pick<StatusContext, 'node' | 'name'>;

/** What {@link PeerRemovals} needs of the loop. */
type Loop = Pick<NodeLoop, 'on' | 'wake'>;

/** The removals that `weft rmpeer` began and waits for, until the node answers. */
export class PeerRemovals {
  readonly #context: NamedNode;
  readonly #loop: Loop;
  readonly #waitingByRequest = new Map<RequestId, PromiseWithResolvers<RemovePeerResult>>();
  readonly #nameByRequest = new Map<RequestId, string>();

  constructor(context: NamedNode, loop: Loop) {
    this.#context = context;
    this.#loop = loop;
    loop.on('removed', (out) => this.#answer(out));
    loop.on('removeFailed', (out) => this.#answer(out));
  }

  /**
   * Removes a peer, given by name or the start of its id: its ranges become ours, and all forget it. Who owns nothing is
   * forgotten at once. Rejects with E_UNKNOWN_PEER, E_AMBIGUOUS_PEER, E_NOT_REMOVED.
   */
  async begin(who: string, now: Instant): Promise<RemovePeerResult> {
    const peer = findPeer(this.#context, who);
    if (this.#context.node.ipam.rangesOf(peer).length === 0) return this.#forget(peer, now);
    const waiting = Promise.withResolvers<RemovePeerResult>();
    const request = this.#context.node.ipam.removePeer(peer, now);
    this.#waitingByRequest.set(request, waiting);
    this.#nameByRequest.set(request, nameOf(this.#context, peer));
    this.#loop.wake();
    return waiting.promise;
  }

  #forget(peer: PeerId, now: Instant): RemovePeerResult {
    const name = nameOf(this.#context, peer);
    if (this.#context.node.gossip.forgetPeer(peer, now) === 'present') {
      const [message, remedy] = REMOVAL_FAULTS['peer-alive'];
      throw new WeftError('E_NOT_REMOVED', message.replace('PEER', name), remedy);
    }
    this.#loop.wake();
    return { peerId: peer, name, ranges: [] };
  }

  #faultOf({ reason, missing }: Output<'removeFailed'>, name: string): WeftError {
    const [message, remedy] = REMOVAL_FAULTS[reason];
    const whose = missing?.peers.map((peer) => withState(this.#context, peer)).join(', ');
    const votes = missing ? `: it takes ${missing.needed} of ${missing.of} votes, missing ${whose}` : '';
    return new WeftError('E_NOT_REMOVED', message.replace('PEER', name) + votes, remedy);
  }

  #answer(out: Output<'removed' | 'removeFailed'>): void {
    const waiting = this.#waitingByRequest.get(out.request);
    const name = this.#nameByRequest.get(out.request) ?? '';
    this.#waitingByRequest.delete(out.request);
    this.#nameByRequest.delete(out.request);
    if (out.type === 'removeFailed') waiting?.reject(this.#faultOf(out, name));
    else {
      const ranges = this.#context.node.ipam.rangesOf(this.#context.node.peer).map(formatRange);
      waiting?.resolve({ peerId: out.peer, name, ranges });
    }
  }
}

const REMOVAL_FAULTS: Readonly<Record<RemoveFailure, readonly [message: string, remedy: string]>> = {
  'unknown-peer': ['PEER has no part in the ring', "see 'weft ipam'"],
  self: ['a node cannot remove itself', 'run this on another node'],
  'peer-alive': ['PEER is alive', 'stop it first; its ranges could otherwise be used twice'],
  'too-few-members': ['too few nodes remain to agree on removing PEER', 'start another node first'],
  'no-majority': [
    'too few nodes agreed to remove PEER in time',
    'bring back those that are missing; if that cannot be, the range of PEER is lost until all nodes begin a new ring (`weft reset` on each)',
  ],
  'no-authority': ['the API of Kubernetes did not take the removal of PEER in time', "see 'weft status'"],
  'no-ring': ['there is no ring yet', "see 'weft status'"],
  fault: ['the ring is at fault', "see 'weft status'"],
  busy: ['another removal is under way', 'try again when it has ended'],
  'lost-race': ['another node removed PEER first', "see 'weft ipam'"],
};
