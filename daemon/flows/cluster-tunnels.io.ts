import type { ClusterTunnelsResult } from '../../control/tunnels-request.ts';
import type { FlowPeers } from './flow-peers.io.ts';

/**
 * Tunnels of all other nodes together, about: the tunnels of a cluster are as many as the square of its nodes, so each is
 * asked for its share, the worst first.
 */
const ALL_TUNNELS = 2_000;
const LEAST_TUNNELS = 2;

/** What all other nodes say of their tunnels. Never rejects. */
export async function clusterTunnels(peers: FlowPeers): Promise<ClusterTunnelsResult> {
  const limit = Math.max(LEAST_TUNNELS, Math.floor(ALL_TUNNELS / Math.max(2, peers.count)));
  const { answers, silent } = await peers.askAll(() => ({ op: 'tunnels', limit }));
  let more = 0;
  const tunnels = answers.flatMap(({ peer, answer }) => {
    if (!('tunnels' in answer)) return [];
    more += answer.more;
    return answer.tunnels.map((tunnel) => ({ ...tunnel, from: peer }));
  });
  return { tunnels, more, nodes: answers.length, silent };
}
