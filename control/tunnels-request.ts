import type { SilentNode } from './flow-request.ts';
import type { PeersResult } from './peer-status.ts';

/** A tunnel as the node at its one end sees it, as far as it is told to others. */
export type ToldTunnel = Pick<
  PeersResult['peers'][number],
  | 'peerId'
  | 'state'
  | 'endpoint'
  | 'via'
  | 'datapath'
  | 'suite'
  | 'rttMs'
  | 'mtu'
  | 'mtuConfirmed'
  | 'loss'
  | 'sentBytes'
  | 'receivedBytes'
  | 'link'
>;

/** Answer to `clusterTunnels`: what the other nodes say of their tunnels. */
export interface ClusterTunnelsResult {
  /** `from` is the id of the node that tells. Tunnels to which nothing is to be sent are not told. */
  readonly tunnels: readonly (ToldTunnel & { readonly from: string })[];
  /** Tunnels beyond those, as many as each node may tell: the worst come first. */
  readonly more: number;
  /** Nodes that told, and those that did not. */
  readonly nodes: number;
  readonly silent: readonly SilentNode[];
}
