import type { Counters } from '../../base/counters.ts';
import { osRandom } from '../../host/os-random.io.ts';
import { ownVersion } from '../../host/version.io.ts';
import { WeftNode } from '../../node/weft-node.ts';
import type { DaemonCounter } from '../daemon-counters.ts';
import type { Config } from '../settings/config.ts';
import type { Underlay } from '../underlay.io.ts';
import type { Cluster } from './cluster.io.ts';
import type { DatapathPart } from './datapath.io.ts';
import type { State } from './state.io.ts';

/** The node of this daemon, not started yet. */
export function makeNode(options: {
  readonly config: Config;
  readonly cluster: Cluster;
  readonly underlay: Underlay;
  readonly state: State;
  readonly datapath: DatapathPart;
  readonly counters: Counters<DaemonCounter>;
}): WeftNode {
  const { config, cluster, underlay, state, datapath, counters } = options;
  const { folder, store } = state;
  return new WeftNode({
    self: {
      identity: folder.identity,
      clusterKeys: cluster.keys,
      name: config.name,
      version: ownVersion(),
      bootEpoch: folder.epoch,
      bootId: folder.bootId,
    },
    underlay: { endpoints: underlay.endpoints, mtu: underlay.mtu },
    overlay: {
      mtu: underlay.overlayMtu,
      datapath: datapath.border,
      suites: datapath.opened.suites,
      takesMarks: datapath.opened.takesMarks,
    },
    held: datapath.inherits,
    store,
    ipam: {
      ranges: cluster.ranges,
      init: config.genesis,
      ...(mayHavePeers(config) ? {} : { seedWaitMs: 0 }),
      ...(config.safeWaitMs === undefined ? {} : { safeWaitMs: config.safeWaitMs }),
    },
    random: osRandom,
    counters,
  });
}

/** Somebody may have a ring already, and is listened for before one is begun. */
function mayHavePeers(config: Pick<Config, 'peers' | 'kubernetes'>): boolean {
  return config.peers.length > 0 || config.kubernetes;
}
