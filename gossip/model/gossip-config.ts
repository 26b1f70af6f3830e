/** Settings of gossip. The defaults serve clusters of 1 to some thousands of nodes; tests shrink the limits. */
export interface GossipConfig {
  /** Overlay links a node strives for. */
  readonly linkTarget: number;
  /** Of these at least so many dialled by itself: whoever opens many links to us cannot become all we see. */
  readonly minOutgoing: number;
  /** Above so many links in all, a node gives up links that it dialled itself. */
  readonly linkHighWater: number;
  /** Above so many accepted links, one is shed with a redirect. */
  readonly maxIncoming: number;
  /** Up to so many live nodes (self included), everybody links with everybody. */
  readonly fullMeshUpTo: number;
  readonly maxConcurrentDials: number;
  readonly dialBackoffMinMs: number;
  readonly dialBackoffMaxMs: number;
  /** A dial without an answer from the shell counts as failed after this. */
  readonly dialTimeoutMs: number;
  /** An idle link says something this often, and is closed after three times as long without a word. */
  readonly keepaliveMs: number;
  /** One member is probed in each of these; how long a suspicion lasts goes by it too (swim/suspicion.ts). */
  readonly probeIntervalMs: number;
  readonly probeTimeoutMs: number;
  readonly indirectProbes: number;
  /** New records wait so long for others before they go out together. */
  readonly flushMs: number;
  /** A new record goes in full to so many links, and is only announced on the others. */
  readonly fanout: number;
  /** Announcements follow the records by so much, so that they mostly find nothing to ask for. */
  readonly announceDelayMs: number;
  readonly digestIntervalMs: number;
  /** Full exchange of versions; stretched in clusters above 32 nodes. */
  readonly fullSyncIntervalMs: number;
  /** Origins held in the record store. */
  readonly maxOrigins: number;
  /** Payload bytes held in the record store. */
  readonly maxStoreBytes: number;
}

/** What a daemon runs with. */
export const DEFAULT_GOSSIP_CONFIG: GossipConfig = {
  linkTarget: 8,
  minOutgoing: 3,
  linkHighWater: 10,
  maxIncoming: 24,
  fullMeshUpTo: 8,
  maxConcurrentDials: 8,
  dialBackoffMinMs: 250,
  dialBackoffMaxMs: 30_000,
  dialTimeoutMs: 10_000,
  keepaliveMs: 5_000,
  probeIntervalMs: 1_000,
  probeTimeoutMs: 500,
  indirectProbes: 3,
  flushMs: 50,
  fanout: 3,
  announceDelayMs: 150,
  digestIntervalMs: 1_000,
  fullSyncIntervalMs: 30_000,
  maxOrigins: 4096,
  maxStoreBytes: 64 * 1024 * 1024,
};
