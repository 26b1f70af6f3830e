import type { PeersResult } from '../../control/peer-status.ts';
import type { ClusterTunnelsResult, ToldTunnel } from '../../control/tunnels-request.ts';
import { type NodeRow, SERIES_POINTS, type TunnelRow } from './picture.ts';
import { shown, shownOrNull } from './shown-text.ts';

/** How one tunnel went over time; null: not known. */
export interface TunnelHistory {
  readonly at: readonly number[];
  readonly rttMs: readonly (number | null)[];
  readonly sentBytesPerS: readonly (number | null)[];
  readonly receivedBytesPerS: readonly (number | null)[];
}

type Peer = PeersResult['peers'][number];

interface KnownTunnel {
  readonly row: TunnelRow;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly rttMs: Ring;
  readonly sent: Ring;
  readonly received: Ring;
}

/** What another node told of its tunnel at some time. */
interface OthersTunnel {
  readonly row: TunnelRow;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/**
 * The nodes and tunnels that one node tells of, how each tunnel went, and the tunnels that other nodes tell of.
 */
export class TunnelBook {
  #at: number[] = [];
  #tunnelById = new Map<string, KnownTunnel>();
  #nodes: NodeRow[] = [];
  #othersById = new Map<string, OthersTunnel>();
  #othersAt: number | undefined;
  #moreOfOthers = 0;

  /** The answer to `peers` of the node `self`, as it came at `at`. */
  take({ peers }: PeersResult, self: string, at: number): void {
    const before = this.#at.at(-1);
    this.#at.push(at);
    if (this.#at.length > SERIES_POINTS) this.#at.shift();
    const secondsOn = before === undefined ? undefined : (at - before) / 1000;
    const tunnelById = new Map<string, KnownTunnel>();
    for (const peer of peers) {
      const id = `${self}>${peer.peerId}`;
      const known = this.#tunnelById.get(id);
      const sentBytesPerS = rateOf(known?.sentBytes, peer.sentBytes, secondsOn);
      const receivedBytesPerS = rateOf(known?.receivedBytes, peer.receivedBytes, secondsOn);
      const row = { id, from: self, ...tunnelOf(peer), sentBytesPerS, receivedBytesPerS };
      const rings = known ?? { rttMs: new Ring(), sent: new Ring(), received: new Ring() };
      const { rttMs, sent, received } = rings;
      rttMs.push(row.rttMs);
      sent.push(sentBytesPerS);
      received.push(receivedBytesPerS);
      const { sentBytes, receivedBytes } = peer;
      tunnelById.set(id, { row, sentBytes, receivedBytes, rttMs, sent, received });
    }
    this.#tunnelById = tunnelById;
    this.#nodes = peers.map(nodeOf);
  }

  /** What other nodes said of their tunnels, as it came at `at`. */
  takeOthers({ tunnels, more }: ClusterTunnelsResult, self: string, at: number): void {
    const secondsOn = this.#othersAt === undefined ? undefined : (at - this.#othersAt) / 1000;
    this.#othersAt = at;
    this.#moreOfOthers = more;
    const before = this.#othersById;
    this.#othersById = new Map();
    for (const { from, ...told } of tunnels) {
      if (from === self) continue;
      const id = `${shown(from)}>${shown(told.peerId)}`;
      const known = before.get(id);
      const { sentBytes, receivedBytes } = told;
      const sentBytesPerS = rateOf(known?.sentBytes, sentBytes, secondsOn);
      const receivedBytesPerS = rateOf(known?.receivedBytes, receivedBytes, secondsOn);
      const row = { id, from: shown(from), ...tunnelOf(told), sentBytesPerS, receivedBytesPerS };
      this.#othersById.set(id, { row, sentBytes, receivedBytes });
    }
  }

  /** Tunnels of other nodes that they did not tell of, for they are too many. */
  get moreOfOthers(): number {
    return this.#moreOfOthers;
  }

  /** The peers; the node itself is not among them. */
  get nodes(): readonly NodeRow[] {
    return this.#nodes;
  }

  /** Those of the node itself. */
  own(): TunnelRow[] {
    return [...this.#tunnelById.values()].map(({ row }) => row);
  }

  /** Also those of other nodes. */
  tunnels(): TunnelRow[] {
    return [...this.own(), ...[...this.#othersById.values()].map(({ row }) => row)];
  }

  /** Undefined where the node itself has no such tunnel. */
  history(id: string): TunnelHistory | undefined {
    const known = this.#tunnelById.get(id);
    if (known === undefined) return undefined;
    const points = this.#at.length;
    return {
      at: [...this.#at],
      rttMs: known.rttMs.last(points),
      sentBytesPerS: known.sent.last(points),
      receivedBytesPerS: known.received.last(points),
    };
  }
}

function tunnelOf(peer: ToldTunnel): Omit<TunnelRow, 'id' | 'from' | 'sentBytesPerS' | 'receivedBytesPerS'> {
  const { peerId, state, endpoint, via, datapath, suite, rttMs, mtu, mtuConfirmed, loss, link } = peer;
  return {
    to: shown(peerId),
    state,
    path: via !== null ? 'relayed' : endpoint !== null ? 'direct' : 'none',
    endpoint: shownOrNull(endpoint),
    via: shownOrNull(via),
    datapath: shownOrNull(datapath),
    suite: shownOrNull(suite),
    rttMs,
    loss: loss ?? null,
    mtu,
    mtuConfirmed,
    hasLink: link !== null,
  };
}

function nodeOf(peer: Peer): NodeRow {
  return {
    id: shown(peer.peerId),
    name: shown(peer.name),
    isSelf: false,
    version: shown(peer.version),
    state: peer.state,
    addresses: peer.addresses.map(shown),
    endpoints: peer.endpoints.map(shown),
    told: null,
  };
}

/** A second's share of what was counted meanwhile; null where that is not known, as after a restart of weftd. */
function rateOf(before: number | undefined, now: number, seconds: number | undefined): number | null {
  if (before === undefined || seconds === undefined || seconds <= 0 || now < before) return null;
  return Math.round((now - before) / seconds);
}

/** The last values of one number, in a fixed piece of memory. */
class Ring {
  readonly #values = new Float32Array(SERIES_POINTS).fill(Number.NaN);
  #pushed = 0;

  push(value: number | null): void {
    this.#values[this.#pushed++ % SERIES_POINTS] = value ?? Number.NaN;
  }

  /** The last `count`, at most {@link SERIES_POINTS}; null where nothing was pushed, or null. */
  last(count: number): (number | null)[] {
    return Array.from({ length: count }, (_, i) => {
      const number = this.#pushed - count + i;
      const value = number < 0 ? Number.NaN : this.#values[number % SERIES_POINTS]!;
      return Number.isNaN(value) ? null : Math.round(value * 1000) / 1000;
    });
  }
}
