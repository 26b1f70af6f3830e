import { type Endpoint, endpointHost } from '../base/endpoint.ts';
import { MAX_ENDPOINTS } from '../gossip/model/node-info.ts';

/**
 * Where peers may reach this node, in the order in which they are told.
 *
 * A host may have more addresses than a record holds, most of which lead nowhere for others: bridges of containers,
 * VPNs. Addresses at which a control link stands are known to carry packets between nodes. Where there are more than
 * {@link FEW} they come first; the rest follows as the host gave it, and what the record has no room for is left out.
 */
export class OwnEndpoints {
  #offered: readonly Endpoint[];
  /** Hosts of our ends of control links, in the order in which they were seen; at most {@link MAX_ENDPOINTS}. */
  readonly #proven = new Set<string>();

  /** `offered`: all that the host has, the most promising first. */
  constructor(offered: readonly Endpoint[]) {
    this.#offered = offered;
  }

  /** What the record is to name, at most {@link MAX_ENDPOINTS}. */
  get published(): Endpoint[] {
    const all = [...new Set(this.#offered)];
    if (all.length <= FEW) return all;
    const proven = all.filter((one) => this.#proven.has(endpointHost(one)));
    const others = all.filter((one) => !this.#proven.has(endpointHost(one)));
    return [...proven, ...others].slice(0, MAX_ENDPOINTS);
  }

  /** The host's addresses have changed. Whether {@link published} did. */
  set(offered: readonly Endpoint[]): boolean {
    return this.#changes(() => {
      this.#offered = offered;
      const hosts = new Set(offered.map(endpointHost));
      for (const host of this.#proven) if (!hosts.has(host)) this.#proven.delete(host);
    });
  }

  /** A control link stands whose end here is `local`. Whether {@link published} changed. */
  prove(local: Endpoint): boolean {
    const host = endpointHost(local);
    if (this.#proven.has(host) || !this.#offered.some((one) => endpointHost(one) === host)) return false;
    return this.#changes(() => {
      if (this.#proven.size < MAX_ENDPOINTS) this.#proven.add(host);
    });
  }

  #changes(act: () => void): boolean {
    const before = this.published.join();
    act();
    return this.published.join() !== before;
  }
}

/** So many are all tried in the first breath of a handshake, in whatever order they are told. */
const FEW = 4;
