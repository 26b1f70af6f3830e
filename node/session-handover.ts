import type { Instant } from '../base/instant.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { KeptSessions } from '../router/datapath/kept-sessions.ts';
import type { HandedTunnels } from '../router/tunnel/handover/handed-tunnels.ts';
import type { Tunnels } from '../router/tunnel/tunnels.ts';

/**
 * How the tunnels of a node outlive its weftd: what one hands over as they stand, and the next one goes on with. Peers
 * notice neither: its record says that the starts since were none to them.
 */
export class SessionHandover {
  readonly #options: SessionHandoverOptions;
  #held: boolean;
  #since: number | undefined;

  constructor(options: SessionHandoverOptions) {
    this.#options = options;
    this.#held = options.held;
  }

  /** Whether it is not known yet what the weftd before hands over. Until then nothing is told to peers. */
  get held(): boolean {
    return this.#held;
  }

  /** `NodeInfo.sessionsSince`. */
  get sessionsSince(): number | undefined {
    return this.#since;
  }

  /**
   * The tunnels as they stand, with the keys that `kept` has; the caller wipes them. The datapath must move nothing any more.
   * `counters`: what is to be counted on from.
   */
  handOver(kept: Pick<KeptSessions, 'keys'>, counters: HandedTunnels['counters']): HandedTunnels {
    const { self, bootEpoch, tunnels } = this.#options;
    return { self, since: this.#since ?? bootEpoch, ...tunnels.handOver(kept), counters };
  }

  /**
   * The tunnels go on where the weftd before ended, or are made anew where it handed nothing over. Once, of a node that was
   * held for that and has started. `begin` has packets move, which all that is said to peers comes after. The caller wipes
   * the keys.
   */
  resume(handed: HandedTunnels | undefined, now: Instant, begin: () => void): void {
    const { self, tunnels, onResumed } = this.#options;
    const ours = handed?.self === self ? handed : undefined;
    if (tunnels.resume(ours, now, begin)) this.#since = ours!.since;
    this.#held = false;
    onResumed(now);
  }
}

interface SessionHandoverOptions {
  readonly self: PeerId;
  readonly bootEpoch: number;
  readonly tunnels: Tunnels;
  /** Something may be handed over, so {@link SessionHandover.resume} will be called. */
  readonly held: boolean;
  /** Told when it was. */
  readonly onResumed: (now: Instant) => void;
}
