import type { ReportResult } from '../../control/control-protocol.ts';
import { ipamResult } from './ipam-view.ts';
import type { KernelCounters } from './kernel-counters.io.ts';
import { peersResult } from './peers-view.ts';
import { nameOf, type StatusContext } from './status-context.ts';
import { statusResult } from './status-view.ts';

/** Answer to `weft report`: no keys, no secrets. */
export function reportResult(context: StatusContext, kernel: KernelCounters): ReportResult {
  const { node, counters, datapath } = context;
  return {
    status: statusResult(context),
    settings: context.settings,
    counters: { ...counters.snapshot(), ...kernel.counts },
    ...(kernel.fault === undefined ? {} : { countersMissing: kernel.fault }),
    gauges: context.gauges(),
    peers: peersResult(context),
    ipam: ipamResult(context),
    datapath: { name: datapath.name, suites: datapath.suites, features: datapath.features },
    links: node.gossip.links().map(({ peer }) => nameOf(context, peer)),
    tunnels: node.tunnels.peers.map((peer) => ({
      name: nameOf(context, peer),
      ...node.tunnels.status(peer),
    })),
    runtime: context.runtime(),
  };
}
