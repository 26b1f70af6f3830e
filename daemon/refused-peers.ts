import { endpointHost } from '../base/endpoint.ts';
import type { Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import { type Warning, warningOf } from '../base/warning.ts';
import { DAEMON_WARNINGS } from './daemon-warnings.ts';
import type { NodeLoop } from './node-loop.io.ts';

/** A refusal is told for so long after it was last seen. */
export const REFUSAL_TOLD_MS = 600_000;
/** Of each kind; beyond it the one seen least recently is forgotten. */
export const MAX_REFUSALS = 16;

/**
 * Peers whose records are refused, and hosts that do not hold the secret, as far as they were seen lately: what the other
 * end knows as a fault of its own only.
 */
export class RefusedPeers {
  readonly #nameOf: (peer: PeerId) => string;
  readonly #seenAtByPeer = new Map<PeerId, Instant>();
  readonly #seenAtByHost = new Map<string, Instant>();

  constructor(loop: Pick<NodeLoop, 'on'>, nameOf: (peer: PeerId) => string, clock: () => Instant) {
    this.#nameOf = nameOf;
    loop.on('recordRefused', ({ peer }) => note(this.#seenAtByPeer, peer, clock()));
    loop.on('strangerRefused', ({ remote }) => note(this.#seenAtByHost, endpointHost(remote), clock()));
  }

  warnings(now: Instant): Warning[] {
    const lately = <T>(seen: ReadonlyMap<T, Instant>): [T, Instant][] =>
      [...seen].filter(([, at]) => now - at < REFUSAL_TOLD_MS);
    return [
      ...lately(this.#seenAtByPeer).map(([peer]) =>
        warningOf(DAEMON_WARNINGS, 'W_PEER_RECORD_REFUSED', { name: this.#nameOf(peer) }),
      ),
      ...lately(this.#seenAtByHost).map(([from, at]) =>
        warningOf(DAEMON_WARNINGS, 'W_STRANGER_REFUSED', { from, seconds: Math.round((now - at) / 1000) }),
      ),
    ];
  }
}

function note<T>(seen: Map<T, Instant>, who: T, now: Instant): void {
  seen.delete(who);
  seen.set(who, now);
  if (seen.size > MAX_REFUSALS) seen.delete(seen.keys().next().value!);
}
