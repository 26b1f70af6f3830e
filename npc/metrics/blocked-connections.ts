/** Protocols and ports that are told apart. An attacker who tries all ports makes no more series than that. */
const MOST_PAIRS = 64;
/** Of all that come after. */
const OTHER = 'other';

/** Packets that policies denied, by protocol and the port they were for: the first of these that come, and all others. */
export class BlockedConnections {
  readonly #countByPair = new Map<string, { protocol: string; port: string; count: number }>();

  /** `protocol` as denied-packet.ts names it; `port` undefined where it has none. */
  add(protocol: string, port: number | undefined): void {
    const key = `${protocol} ${port ?? ''}`;
    const isNew = !this.#countByPair.has(key);
    if (isNew && this.#countByPair.size >= MOST_PAIRS) this.#count(OTHER, OTHER, OTHER);
    else this.#count(key, protocol.toLowerCase(), String(port ?? ''));
  }

  all(): readonly { readonly protocol: string; readonly port: string; readonly count: number }[] {
    return [...this.#countByPair.values()];
  }

  #count(key: string, protocol: string, port: string): void {
    const known = this.#countByPair.get(key);
    if (known === undefined) this.#countByPair.set(key, { protocol, port, count: 1 });
    else known.count++;
  }
}
