/** A host's end, as far as it matters here. */
interface CarrierLink {
  readonly name: string;
  readonly up: boolean;
  /** How often it has lost its carrier. */
  readonly carrierLosses?: number;
}

/**
 * Which pods may have lost their routes: the host's end has lost its carrier though nobody set it down on the host, so the
 * pod's end was set down. Nothing else of what happens in a pod is seen from the host.
 */
export class CarrierLosses {
  readonly #lossesByName = new Map<string, number>();
  readonly #cutOff = new Set<string>();

  /** The host's ends as they are now, all of them. What is seen for the first time counts from now on. */
  looked(links: readonly CarrierLink[]): void {
    const present = new Set(links.map(({ name }) => name));
    for (const name of this.#lossesByName.keys()) if (!present.has(name)) this.forget(name);
    for (const { name, up, carrierLosses = 0 } of links) {
      const before = this.#lossesByName.get(name);
      this.#lossesByName.set(name, carrierLosses);
      if (up && before !== undefined && carrierLosses > before) this.#cutOff.add(name);
    }
  }

  /** It lost its carrier by what was done on the host, or begins anew. */
  forget(name: string): void {
    this.#lossesByName.delete(name);
    this.#cutOff.delete(name);
  }

  /** Whether the pod whose host's end has that name may have lost its routes. */
  has(name: string): boolean {
    return this.#cutOff.has(name);
  }
}
