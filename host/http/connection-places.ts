/**
 * Places for a bounded number of connections, given fairly to where they come from. Who comes always gets a place:
 * where all are taken, the oldest connection of the source that has most has to go. So somebody who holds many of them
 * pushes out only their own, and a client that asks at once is answered before its turn to go comes.
 */
export class ConnectionPlaces<Connection> {
  readonly #places: number;
  readonly #connectionsBySource = new Map<string, Set<Connection>>();
  #taken = 0;

  /** @param places at least 1. */
  constructor(places: number) {
    this.#places = places;
  }

  /** Places that are taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Gives `connection` a place, and returns the one that has to be closed for that, if one has to. */
  take(connection: Connection, source: string): Connection | undefined {
    const leaves = this.#taken < this.#places ? undefined : this.#oldestOfLargest();
    const connections = this.#connectionsBySource.get(source) ?? new Set();
    this.#connectionsBySource.set(source, connections);
    connections.add(connection);
    this.#taken++;
    return leaves;
  }

  /** The connection is closed. Nothing where it has no place any more. */
  free(connection: Connection, source: string): void {
    const connections = this.#connectionsBySource.get(source);
    if (connections === undefined || !connections.delete(connection)) return;
    if (connections.size === 0) this.#connectionsBySource.delete(source);
    this.#taken--;
  }

  /** Takes the place from the oldest connection of the source that has most; of equals the one that came first. */
  #oldestOfLargest(): Connection | undefined {
    let largest: readonly [string, Set<Connection>] | undefined;
    for (const entry of this.#connectionsBySource)
      if (largest === undefined || entry[1].size > largest[1].size) largest = entry;
    if (largest === undefined) return undefined;
    const [source, connections] = largest;
    const [oldest] = connections;
    if (oldest !== undefined) this.free(oldest, source);
    return oldest;
  }
}
