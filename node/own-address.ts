import { type Address, compareAddresses } from '../base/address.ts';
import { after, type Instant } from '../base/instant.ts';
import type { Ipam } from '../ipam/ipam.ts';
import { type IpamOutput, NODE_KEY, type RequestId } from '../ipam/model/types.ts';

/** A node that has no overlay address of its own asks for one again after this. */
const ADDRESS_RETRY_MS = 1_000;

/** The node's own overlay addresses: asked of ipam as a pod's are, and again until there are some. */
export class OwnAddress {
  readonly #ipam: Ipam;
  #addresses: readonly Address[] = [];
  #request: RequestId | undefined;
  #retryAt: Instant | undefined;

  constructor(ipam: Ipam) {
    this.#ipam = ipam;
  }

  /** IPv4 first; empty until the ring gave us some. */
  get addresses(): readonly Address[] {
    return this.#addresses;
  }

  nextTimeout(): Instant | undefined {
    return this.#retryAt;
  }

  ask(now: Instant): void {
    this.#retryAt = undefined;
    this.#request = this.#ipam.allocate(NODE_KEY, now);
  }

  tick(now: Instant): void {
    if (this.#retryAt !== undefined && now >= this.#retryAt) this.ask(now);
  }

  /** Takes the answer to {@link ask}: whether it is that, and whether there are addresses now. */
  take(
    out: Extract<IpamOutput, { type: 'allocated' | 'allocateFailed' }>,
    now: Instant,
  ): 'not-ours' | 'got' | 'failed' {
    if (out.request !== this.#request) return 'not-ours';
    this.#request = undefined;
    if (out.type === 'allocateFailed') {
      this.#retryAt = after(now, ADDRESS_RETRY_MS);
      return 'failed';
    }
    this.#addresses = [...out.allocation.addresses].sort(compareAddresses);
    return 'got';
  }
}
