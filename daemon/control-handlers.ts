import type { Instant } from '../base/instant.ts';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import type { ControlHandlers } from '../control/control-server.io.ts';
import { ownProcess } from '../host/own-process.io.ts';
import type { HandoverPolicy } from './handover-policy.ts';
import { locate } from './locate.ts';
import type { PeerRemovals } from './peer-removals.ts';
import { formatPeerHint, type PeerHint, parsePeerHint } from './settings/peer-hint.ts';
import { ipamResult, peersResult, reportResult, type StatusContext, statusResult } from './status.ts';

/** Where the node looks for peers. */
export interface SeedList {
  add(hints: readonly PeerHint[]): Promise<void>;
  remove(hint: PeerHint): boolean;
}

/** Answers to everything that the `weft` command asks. */
export function controlHandlers(options: {
  readonly context: StatusContext;
  readonly seeds: SeedList;
  readonly removals: PeerRemovals;
  readonly handover: HandoverPolicy;
  /** Where a peer is given without a port. */
  readonly port: number;
  readonly now: () => Instant;
}): ControlHandlers {
  const { context, seeds, removals, handover, port, now } = options;
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
    rmpeer: ({ peer }) => removals.begin(peer, now()),
    locate: ({ target }) => locate(context, target),
    process: ownProcess,
    yield: ({ cluster }) => {
      handover.yieldTo(cluster, now());
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
