import type { Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import { printable } from '../base/printable.ts';
import { formatRange } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import type { RemovePeerResult } from '../control/control-protocol.ts';
import type { ControlHandlers } from '../control/control-server.io.ts';
import { ownProcess } from '../host/own-process.io.ts';
import type { RemoveFailure, RequestId } from '../ipam/model/types.ts';
import type { NodeOutput } from '../node/node-types.ts';
import { formatPeerHint, type PeerHint, parsePeerHint } from './settings/peer-hint.ts';
import { ipamResult, nameOf, peersResult, reportResult, type StatusContext, statusResult } from './status.ts';
import type { Tenure } from './tenure.ts';

/** Where the node looks for peers. */
export interface SeedList {
  add(hints: readonly PeerHint[]): Promise<void>;
  remove(hint: PeerHint): boolean;
}

/** Answers to everything that the `weft` command asks. */
export function controlHandlers(options: {
  readonly context: StatusContext;
  readonly seeds: SeedList;
  readonly removals: Removals;
  readonly tenure: Tenure;
  /** Where a peer is given without a port. */
  readonly port: number;
  readonly now: () => Instant;
  readonly wake: () => void;
}): ControlHandlers {
  const { context, seeds, removals, tenure, port, now, wake } = options;
  return {
    status: () => statusResult(context),
    peers: () => peersResult(context),
    ipam: () => ipamResult(context),
    report: () => reportResult(context),
    connect: async ({ peers }) => {
      const hints = readHints(peers, port);
      await seeds.add(hints);
      return { connecting: hints.map(formatPeerHint) };
    },
    forget: ({ peers }) => {
      const hints = readHints(peers, port);
      const forgotten = hints.filter((hint) => seeds.remove(hint));
      const unknown = hints.filter((hint) => !forgotten.includes(hint));
      return { forgotten: forgotten.map(formatPeerHint), unknown: unknown.map(formatPeerHint) };
    },
    rmpeer: ({ peer }) => {
      const removed = removals.begin(peer, now());
      wake();
      return removed;
    },
    process: ownProcess,
    yield: ({ cluster }) => {
      tenure.yieldTo(cluster, now());
      return { yielded: true };
    },
  };
}

/** Throws E_BAD_PEER for the first that is no peer; nothing is then done with the others. */
function readHints(texts: readonly string[], port: number): PeerHint[] {
  return texts.map((text) => {
    const hint = parsePeerHint(text, port);
    if (hint !== undefined) return hint;
    const remedy = 'give a host name or an address, with :PORT where it is another';
    throw new WeftError('E_BAD_PEER', `'${printable(text)}' is no peer`, remedy);
  });
}

/** Removals of peers that somebody waits for, from `weft rmpeer` to the node's answer. */
export class Removals {
  readonly #context: StatusContext;
  readonly #waitingByRequest = new Map<RequestId, PromiseWithResolvers<RemovePeerResult>>();
  readonly #nameByRequest = new Map<RequestId, string>();

  constructor(context: StatusContext) {
    this.#context = context;
  }

  /** Begins to remove a peer, given by name or the start of its id. */
  async begin(who: string, now: Instant): Promise<RemovePeerResult> {
    const peer = findPeer(this.#context, who);
    const waiting = Promise.withResolvers<RemovePeerResult>();
    const request = this.#context.node.ipam.removePeer(peer, now);
    this.#waitingByRequest.set(request, waiting);
    this.#nameByRequest.set(request, nameOf(this.#context, peer));
    return waiting.promise;
  }

  /** Takes the node's answer. */
  answer(out: Extract<NodeOutput, { type: 'removed' | 'removeFailed' }>): void {
    const waiting = this.#waitingByRequest.get(out.request);
    const name = this.#nameByRequest.get(out.request) ?? '';
    this.#waitingByRequest.delete(out.request);
    this.#nameByRequest.delete(out.request);
    if (out.type === 'removeFailed') waiting?.reject(faultOf(out.reason, name));
    else {
      const ranges = this.#context.node.ipam.rangesOf(this.#context.node.peer).map(formatRange);
      waiting?.resolve({ peerId: out.peer, name, ranges });
    }
  }
}

/** The one peer that `who` means: a name, or the start of an id. Throws E_UNKNOWN_PEER, E_AMBIGUOUS_PEER. */
export function findPeer(context: StatusContext, who: string): PeerId {
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

function faultOf(reason: RemoveFailure, name: string): WeftError {
  const [message, remedy] = REMOVAL_FAULTS[reason];
  return new WeftError('E_NOT_REMOVED', message.replace('PEER', name), remedy);
}

const REMOVAL_FAULTS: Readonly<Record<RemoveFailure, readonly [message: string, remedy: string]>> = {
  'unknown-peer': ['PEER has no part in the ring', "see 'weft ipam'"],
  self: ['a node cannot remove itself', 'run this on another node'],
  'peer-alive': ['PEER is alive', 'stop it first; its ranges could otherwise be used twice'],
  'too-few-members': ['too few nodes remain to agree on removing PEER', 'start another node first'],
  'no-majority': ['most nodes did not agree to remove PEER in time', 'see which of them are unreachable'],
  'no-authority': ['the API of Kubernetes did not take the removal of PEER in time', "see 'weft status'"],
  'no-ring': ['there is no ring yet', "see 'weft status'"],
  fault: ['the ring is at fault', "see 'weft status'"],
  busy: ['another removal is under way', 'try again when it has ended'],
  'lost-race': ['another node removed PEER first', "see 'weft ipam'"],
};
