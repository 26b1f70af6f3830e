import { type Address, formatAddress } from '../base/address.ts';
import type { Counters } from '../base/counters.ts';
import { type PeerId, shortPeerId } from '../base/peer-id.ts';
import { formatRange } from '../base/range.ts';
import type {
  IpamResult,
  IpamSummary,
  PeerStatus,
  PeersResult,
  ReportResult,
  StatusResult,
} from '../control/control-protocol.ts';
import type { MemberState } from '../gossip/model/gossip-output.ts';
import { NODE_KEY } from '../ipam/model/types.ts';
import type { WeftNode } from '../node/weft-node.ts';
import type { OpenDatapath } from '../router/datapath/datapath.ts';
import type { TunnelStatus } from '../router/tunnel/tunnel.ts';

/** What the answers need beyond the node itself. */
export interface StatusContext {
  readonly node: WeftNode;
  readonly name: string;
  readonly version: string;
  readonly datapath: OpenDatapath;
  readonly counters: Counters;
  /** Bytes of the largest packet of the overlay. */
  readonly overlayMtu: number;
  /** What the node looks for, as canonical text. */
  readonly seeds: () => readonly string[];
  /** Warnings of what is around the node, one line each. */
  readonly warnings: () => readonly string[];
}

/** Answer to `weft status`. */
export function statusResult(context: StatusContext): StatusResult {
  const { node, name, version } = context;
  const warnings = warningsOf(context);
  return {
    name,
    peerId: node.peer,
    version,
    addresses: node.ownAddresses.map(formatAddress),
    peers: members(context).map((peer) => peerStatus(context, peer)),
    ipam: ipamSummary(node),
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

/** Answer to `weft peers`. */
export function peersResult(context: StatusContext): PeersResult {
  const { node, datapath, seeds } = context;
  const peers = members(context).map((peer) => {
    const info = node.infoOf(peer);
    const { sentBytes, receivedBytes } = datapath.datapath.stats(peer);
    return {
      ...peerStatus(context, peer),
      sentBytes,
      receivedBytes,
      version: info?.version ?? '',
      endpoints: info?.endpoints ?? [],
      addresses: (info?.addresses ?? []).map(formatAddress),
    };
  });
  return { peers, seeds: seeds() };
}

/** Answer to `weft ipam`. */
export function ipamResult(context: StatusContext): IpamResult {
  const { node } = context;
  return {
    ...ipamSummary(node),
    owners: node.ipam.owners().map(({ range, owner }) => ({
      range: formatRange(range),
      name: nameOf(context, owner),
      peerId: owner,
    })),
    allocations: node.ipam.allocations().map(({ key, addresses }) => ({
      containerId: key.containerId === NODE_KEY.containerId ? '(this node)' : key.containerId,
      ifname: key.ifname,
      addresses: addresses.map((address: Address) => formatAddress(address)),
    })),
  };
}

/** Answer to `weft report`: no keys, no secrets. */
export function reportResult(context: StatusContext): ReportResult {
  const { node, counters, datapath } = context;
  return {
    status: statusResult(context),
    counters: counters.snapshot(),
    peers: peersResult(context),
    ipam: ipamResult(context),
    datapath: { name: datapath.name, suites: datapath.suites, features: datapath.features },
    links: node.gossip.links().map(({ peer }) => nameOf(context, peer)),
    tunnels: node.tunnels.peers.map((peer) => ({
      name: nameOf(context, peer),
      ...node.tunnels.status(peer),
    })),
    runtime: { node: process.version, rssBytes: process.memoryUsage.rss(), uptimeS: process.uptime() },
  };
}

/** The name a peer gave itself, else the start of its id. */
export function nameOf(context: Pick<StatusContext, 'node' | 'name'>, peer: PeerId): string {
  if (peer === context.node.peer) return context.name;
  return context.node.infoOf(peer)?.name ?? shortPeerId(peer);
}

/** Peers other than ourselves, by name. */
function members(context: StatusContext): PeerId[] {
  const { node } = context;
  return node.gossip
    .members()
    .map(({ peer }) => peer)
    .filter((peer) => peer !== node.peer)
    .sort((a, b) => (nameOf(context, a) + a < nameOf(context, b) + b ? -1 : 1));
}

/** A peer as `weft status` shows it. */
export function peerStatus(context: StatusContext, peer: PeerId): PeerStatus {
  const { node, datapath } = context;
  const tunnel = node.tunnels.status(peer);
  const member = node.gossip.members().find((candidate) => candidate.peer === peer);
  const path = tunnel?.path;
  const stands = tunnel?.state === 'established';
  return {
    name: nameOf(context, peer),
    peerId: peer,
    state: peerState(member?.state ?? 'unknown', tunnel),
    endpoint: path?.kind === 'direct' ? path.endpoint : null,
    via: path?.kind === 'relay' ? nameOf(context, path.via) : null,
    datapath: stands ? datapath.name : null,
    suite: stands ? (tunnel.suite ?? null) : null,
    rttMs: tunnel?.rttMs === undefined ? null : Math.round(tunnel.rttMs * 1000) / 1000,
  };
}

function peerState(member: MemberState, tunnel: TunnelStatus | undefined): PeerStatus['state'] {
  if (member === 'dead' || member === 'left') return member;
  switch (tunnel?.state) {
    case 'established':
      return member === 'suspect' ? 'suspect' : 'connected';
    case 'handshaking':
      return 'connecting';
    case 'unreachable':
      return 'unreachable';
    default:
      return member === 'suspect' ? 'suspect' : 'idle';
  }
}

function ipamSummary(node: WeftNode): IpamSummary {
  const { state, detail, ranges, owned, used } = node.ipam.status();
  const families: { -readonly [K in keyof IpamSummary['families']]: IpamSummary['families'][K] } = {};
  for (const family of [4, 6] as const) {
    if (owned[family] === 0n && used[family] === 0) continue;
    families[`${family}`] = { owned: String(owned[family]), used: used[family] };
  }
  const main = owned[4] > 0n ? 4 : 6;
  return {
    state,
    detail,
    ranges: ranges.map(formatRange),
    owned: Number(owned[main]),
    used: used[main],
    families,
  };
}

/** Faults first, then what is merely unusual. */
function warningsOf({ node, warnings: around }: StatusContext): string[] {
  const { faults, orphaned, pending } = node.ipam.status();
  const warnings = faults.map(({ message, remedy }) => `${message}; ${remedy}`);
  if (node.diskFault !== undefined) warnings.unshift(node.diskFault.line);
  warnings.push(...around());
  for (const { key, addresses } of orphaned) {
    const which = addresses.map(formatAddress).join(', ');
    warnings.push(`${key.containerId} uses ${which}, which this node does not own; restart that pod`);
  }
  for (const peer of pending.removals) warnings.push(`the removal of ${shortPeerId(peer)} is under way`);
  return warnings;
}
