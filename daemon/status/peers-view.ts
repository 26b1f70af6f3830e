import { formatAddress } from '../../base/address.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { PeerStatus, PeersResult } from '../../control/peer-status.ts';
import type { MemberState } from '../../gossip/model/gossip-output.ts';
import type { TunnelStatus } from '../../router/tunnel/tunnel-status.ts';
import { seedRows } from './seeds-view.ts';
import { nameOf, type StatusContext } from './status-context.ts';

/** Who left is shown for so long, unless all are asked for. */
export const LEFT_SHOWN_MS = 600_000;

/** Answer to `weft peers`. */
export function peersView(context: StatusContext, { all = false } = {}): PeersResult {
  const { node, datapath, sought, overlayMtu } = context;
  const dialledByPeer = new Map(node.gossip.links().map((link) => [link.peer, link.initiatedByUs]));
  const { rows, hidden } = peerRows(context, { all });
  const peers = rows.map((row) => {
    const peer = row.peerId;
    const info = node.infoOf(peer);
    const tunnel = node.tunnels.status(peer);
    const { sentBytes, receivedBytes } = datapath.datapath.stats(peer);
    return {
      ...row,
      sentBytes,
      receivedBytes,
      version: info?.version ?? '',
      endpoints: info?.endpoints ?? [],
      addresses: (info?.addresses ?? []).map(formatAddress),
      ...pathSize(tunnel, overlayMtu),
      loss: tunnel?.loss === undefined ? null : Math.round(tunnel.loss * 1000) / 1000,
      link: linkOf(dialledByPeer.get(peer)),
    };
  });
  return {
    peers,
    ...(hidden > 0 ? { hidden } : {}),
    seeds: sought().map(({ text }) => text),
    seedStates: seedRows(context),
  };
}

/** The largest packet of the overlay that the way takes, and whether that is proven. */
export function pathSize(
  tunnel: TunnelStatus | undefined,
  overlayMtu: number,
): { readonly mtu: number; readonly mtuConfirmed: boolean } {
  return {
    mtu: Math.min(overlayMtu, tunnel?.mtu ?? overlayMtu),
    mtuConfirmed: tunnel?.mtuConfirmed ?? false,
  };
}

function linkOf(initiatedByUs: boolean | undefined): 'ours' | 'theirs' | null {
  return initiatedByUs === undefined ? null : initiatedByUs ? 'ours' : 'theirs';
}

/** One peer as `weft status` shows it. */
export function peerStatus(context: RowContext, peer: PeerId): PeerStatus {
  const member = context.node.gossip.members().find((candidate) => candidate.peer === peer);
  return peerRow(context, peer, member?.state ?? 'unknown');
}

/** What a row of the table of peers needs. */
type RowContext = Pick<StatusContext, 'node' | 'name' | 'datapath'>;

/** A row of the table of peers, with its id as what it is. */
type PeerRow = PeerStatus & { readonly peerId: PeerId };

/**
 * The peers other than ourselves, in the order of their names: one look at each, for a cluster may have thousands. Who
 * left longer ago than {@link LEFT_SHOWN_MS} is only counted, unless `all` are asked for.
 */
export function peerRows(
  context: RowContext & Pick<StatusContext, 'now'>,
  { all }: { readonly all: boolean },
): { readonly rows: PeerRow[]; readonly hidden: number } {
  const { node } = context;
  const now = context.now();
  const others = node.gossip.members().filter(({ peer }) => peer !== node.peer);
  const shown = others.filter(({ state, since }) => all || state !== 'left' || now - since < LEFT_SHOWN_MS);
  const rows = shown
    .map(({ peer, state }) => peerRow(context, peer, state))
    .sort((a, b) => (a.name + a.peerId < b.name + b.peerId ? -1 : 1));
  return { rows, hidden: others.length - shown.length };
}

function peerRow(context: RowContext, peer: PeerId, member: MemberState): PeerRow {
  const { node, datapath } = context;
  const tunnel = node.tunnels.status(peer);
  const path = tunnel?.path;
  const stands = tunnel?.state === 'established';
  return {
    name: nameOf(context, peer),
    peerId: peer,
    state: peerState(member, tunnel),
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
