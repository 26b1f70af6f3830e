import type { ReportResult } from '../../control/control-protocol.ts';
import { trafficCounts } from '../../router/datapath/traffic-counters.ts';
import { ipamView } from './ipam-view.ts';
import type { KernelCounters } from './kernel-counters.io.ts';
import { peersView } from './peers-view.ts';
import { nameOf, type StatusContext } from './status-context.ts';
import { statusView } from './status-view.ts';

/** Answer to `weft report`: no keys, no secrets. */
export function reportView(context: StatusContext, kernel: KernelCounters): ReportResult {
  const { node, datapath } = context;
  return {
    status: statusView(context),
    settings: context.settings,
    counters: happened({ ...ownCounts(context), ...kernel.counts }),
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

/** What weftd itself has counted. */
export function ownCounts({ counters, datapath }: StatusContext): Record<string, number> {
  return { ...counters.snapshot(), ...trafficCounts(datapath.datapath.totals()) };
}

/** Without what never happened, sorted by name. */
function happened(counts: Readonly<Record<string, number | null>>): Record<string, number> {
  const entries = Object.entries(counts).filter((entry): entry is [string, number] => (entry[1] ?? 0) > 0);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
