import { after, type Instant } from '../base/instant.ts';
import type { Gossip } from '../gossip/gossip.ts';
import type { Tunnels } from '../router/tunnel/tunnels.ts';
import { chooseRelays } from './choose-relays.ts';

/** How often relays are chosen anew from the overlay graph, for tunnels without a direct way that carries packets. */
const RELAYS_EVERY_MS = 1_000;

/** Looks now and then which peers could pass packets on, for the tunnels that have no direct way. */
export class RelayChoice {
  readonly #gossip: Gossip;
  readonly #tunnels: Tunnels;
  #dueAt: Instant | undefined;

  constructor(gossip: Gossip, tunnels: Tunnels) {
    this.#gossip = gossip;
    this.#tunnels = tunnels;
  }

  nextTimeout(): Instant | undefined {
    return this.#dueAt;
  }

  tick(now: Instant): void {
    if (this.#dueAt !== undefined && now < this.#dueAt) return;
    this.#dueAt = after(now, RELAYS_EVERY_MS);
    chooseRelays(this.#gossip, this.#tunnels, now);
  }
}
