import type { Endpoint } from '../../../base/endpoint.ts';
import type { Instant } from '../../../base/instant.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import {
  type DataSession,
  NO_STATS,
  type Path,
  type TrafficTotals,
  type TunnelStats,
} from '../../datapath/datapath.ts';
import type { SessionProgress } from '../../datapath/session-progress.ts';

/** Where a session stands among those with its peer: see sessions.ts. */
export const SESSION_ROLES = ['current', 'next', 'previous'] as const;
export type SessionRole = (typeof SESSION_ROLES)[number];

/** A session that goes on under another weftd of this node. Who gets it wipes the keys once it has installed it. */
export interface HandedSession extends DataSession {
  readonly role: SessionRole;
  readonly initiator: boolean;
  readonly establishedAt: Instant;
  readonly peerEpoch: number;
  readonly peerMtu: number;
  readonly progress: SessionProgress;
}

/** The tunnel to one peer as it stands. */
export interface HandedTunnel {
  readonly peer: PeerId;
  /** The static key with which its sessions were made. */
  readonly noiseKey: Uint8Array;
  /** At most one of each role. */
  readonly sessions: readonly HandedSession[];
  readonly path: Path | undefined;
  /** Proven ways that the peer's record does not name. */
  readonly observed: readonly Endpoint[];
  /** The largest packet of the path in use, bytes, where one of that size was seen to arrive. */
  readonly provenMtu: number | undefined;
  readonly rttMs: number | undefined;
  readonly traffic: TunnelStats;
}

/** All that one weftd hands to the next of what moves packets, beside the devices. */
export interface HandedTunnels {
  /** Whose it is. */
  readonly self: PeerId;
  /** The boot epoch from which on this node has lost no session: what its peers hold of it since then lives. */
  readonly since: number;
  readonly tunnels: readonly HandedTunnel[];
  /** What was carried for peers that are forgotten. */
  readonly past: TunnelStats;
  /** Counts of things that happened, by the name of their counter. */
  readonly counters: Readonly<Record<string, number>>;
}

/** What was carried for others than `tunnels`, of `totals`. */
export function withoutTraffic(totals: TrafficTotals, tunnels: readonly HandedTunnel[]): TunnelStats {
  const rest = { ...NO_STATS, ...totals };
  for (const { traffic } of tunnels)
    for (const name of TOTALS) rest[name] = Math.max(0, rest[name] - traffic[name]);
  return rest;
}

const TOTALS = [
  'sentPackets',
  'sentBytes',
  'receivedPackets',
  'receivedBytes',
  'sentIpBytes',
  'receivedIpBytes',
] as const satisfies readonly (keyof TrafficTotals)[];

/** What of {@link HandedTunnels} the tunnels know themselves. */
export type OwnTunnels = Pick<HandedTunnels, 'tunnels' | 'past'>;

/** Wipes the keys in `handed`. */
export function wipeHanded(handed: HandedTunnels): void {
  for (const { sessions } of handed.tunnels)
    for (const { sendKey, receiveKey } of sessions) {
      sendKey.fill(0);
      receiveKey.fill(0);
    }
}
