import type { ReportResult } from '../../control/control-protocol.ts';
import { ipamView } from './ipam-view.ts';
import type { KernelCounters } from './kernel-counters.io.ts';
import { peersView } from './peers-view.ts';
import { nameOf, type StatusContext } from './status-context.ts';
import { statusView } from './status-view.ts';

/** Answer to `weft report`: no keys, no secrets. */
export function reportView(context: StatusContext, kernel: KernelCounters): ReportResult {
  const { node, counters, datapath } = context;
  return {
    status: statusView(context),
    settings: context.settings,
    counters: { ...counters.snapshot(), ...kernel.counts },
    ...(kernel.fault === undefined ? {} : { countersMissing: kernel.fault }),
    gauges: context.gauges(),
    peers: peersView(context),
    ipam: ipamView(context),
    datapath: { name: datapath.name, suites: datapath.suites, features: datapath.features },
    links: node.gossip.links().map(({ peer }) => nameOf(context, peer)),
    tunnels: node.tunnels.peers.map((peer) => ({
      name: nameOf(context, peer),
      ...node.tunnels.status(peer),
    })),
    runtime: context.runtime(),
  };
}
