import { type Endpoint, endpointHost } from '../../../base/endpoint.ts';
import { after, type Instant } from '../../../base/instant.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import type { Path, TunnelStats } from '../datapath.ts';
import type { SleeveSession } from './sleeve-session.ts';
import { type WaitingBudget, WaitingPackets } from './waiting-packets.ts';

/** How long other ports of a peer's address are taken for its own after its endpoint was heard. As in native/fastdp/inbound.h. */
const HEARD_FOR_MS = 3000;

/** A session that knows its peer. */
export type PeerSession = SleeveSession<SleevePeer>;

/** All the sleeve keeps of one peer. */
export class SleevePeer {
  readonly id: PeerId;
  readonly waiting: WaitingPackets;
  /** Sessions that may receive, the current one among them. */
  sessions = 0;
  /** The session that packets are sealed with. */
  current: PeerSession | undefined;
  path: Path | undefined;
  /** When something came from just there, or the path was taken into use. */
  heardAt: Instant | undefined;
  /** The largest IP packet its path carries. */
  mtu: number;
  /** Whether routes lead to it. */
  routed = false;
  /** When the control core was last told that packets wait. */
  wantedAt: Instant | undefined;

  sentPackets = 0;
  sentBytes = 0;
  receivedPackets = 0;
  receivedBytes = 0;
  droppedPackets = 0;
  sentIpBytes = 0;
  receivedIpBytes = 0;
  lastReceivedAt: Instant | undefined;
  lastSentAt: Instant | undefined;

  constructor(id: PeerId, mtu: number, budget: WaitingBudget) {
    this.id = id;
    this.mtu = mtu;
    this.waiting = new WaitingPackets(budget);
  }

  /** Whether nothing refers to it any more, so that it may be forgotten. */
  get idle(): boolean {
    return this.sessions === 0 && this.path === undefined && !this.routed && this.waiting.size === 0;
  }

  /** Counts what was carried before. */
  add(before: TunnelStats): void {
    this.sentPackets += before.sentPackets;
    this.sentBytes += before.sentBytes;
    this.receivedPackets += before.receivedPackets;
    this.receivedBytes += before.receivedBytes;
    this.droppedPackets += before.droppedPackets;
    this.sentIpBytes += before.sentIpBytes;
    this.receivedIpBytes += before.receivedIpBytes;
    this.lastReceivedAt ??= before.lastReceivedAt;
    this.lastSentAt ??= before.lastSentAt;
  }

  /**
   * Whether `from`, where something came from at `now`, is where the peer is known to be: the endpoint of its path, or
   * another port of the same address while its endpoint is heard as well. A peer may send from several ports; one whose
   * endpoint is silent may have been given another by a NAT.
   */
  isAt(from: Endpoint, now: Instant): boolean {
    if (this.path?.kind !== 'direct') return false;
    const { endpoint } = this.path;
    if (endpoint === from) this.heardAt = now;
    else if (endpointHost(endpoint) !== endpointHost(from)) return false;
    // On a new path the endpoint has as long to be heard, from what comes first.
    this.heardAt ??= now;
    return now <= after(this.heardAt, HEARD_FOR_MS);
  }

  stats(): TunnelStats {
    const { sentPackets, sentBytes, receivedPackets, receivedBytes, droppedPackets } = this;
    const { sentIpBytes, receivedIpBytes, lastReceivedAt, lastSentAt } = this;
    return {
      sentPackets,
      sentBytes,
      receivedPackets,
      receivedBytes,
      droppedPackets,
      sentIpBytes,
      receivedIpBytes,
      lastReceivedAt,
      lastSentAt,
    };
  }
}
