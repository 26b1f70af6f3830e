import { type GaugeReading, readGauges } from '../../base/gauges.ts';
import { GOSSIP_GAUGES } from '../../gossip/gossip-gauges.ts';
import type { EventLoopDelay } from '../../host/event-loop-delay.ts';
import { PROCESS_GAUGES } from '../../host/process-gauges.io.ts';
import { IPAM_GAUGES } from '../../ipam/ipam-gauges.ts';
import { NODE_GAUGES } from '../../node/node-gauges.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import { TUNNEL_GAUGES } from '../../router/tunnel/tunnel-gauges.ts';

/** All that a daemon can be asked for at any time. */
export const DAEMON_GAUGES = {
  ...TUNNEL_GAUGES,
  ...GOSSIP_GAUGES,
  ...IPAM_GAUGES,
  ...NODE_GAUGES,
  ...PROCESS_GAUGES,
} as const;

/** The values of {@link DAEMON_GAUGES} now. */
export function readDaemonGauges(node: WeftNode, loopDelay: EventLoopDelay): Record<string, GaugeReading> {
  const { tunnels } = node;
  return {
    ...readGauges(
      TUNNEL_GAUGES,
      tunnels.peers.flatMap((peer) => tunnels.status(peer) ?? []),
    ),
    ...readGauges(GOSSIP_GAUGES, node.gossip),
    ...readGauges(IPAM_GAUGES, node.ipam.status()),
    ...readGauges(NODE_GAUGES, node),
    ...readGauges(PROCESS_GAUGES, loopDelay),
  };
}
