import type { Counters } from '../../base/counters.ts';
import type { ClusterKeys } from '../../crypto/cluster-secret.ts';
import type { Identity } from '../../crypto/identity.ts';
import { PORTABLE_SUITES } from '../../crypto/suite.ts';
import type { DaemonCounter } from '../../daemon/daemon-counters.ts';
import { clock } from '../../host/clock.io.ts';
import { osRandom } from '../../host/os-random.io.ts';
import type { SleeveIo } from '../../router/datapath/sleeve/sleeve.io.ts';
import { Sleeve } from '../../router/datapath/sleeve/sleeve.ts';
import { Tunnels } from '../../router/tunnel/tunnels.ts';

interface OneEnd {
  readonly identity: Identity;
  readonly clusterKeys: ClusterKeys;
  readonly counters: Counters<DaemonCounter>;
  readonly overlayMtu: number;
}

/** A daemon's own tunnels and sleeve, and no more of one, over the sockets of `io`. Whoever has them ticks the tunnels. */
export function tunnelsOver(
  io: SleeveIo,
  { identity, clusterKeys, counters, overlayMtu }: OneEnd,
): { readonly sleeve: Sleeve; readonly tunnels: Tunnels } {
  const sleeve = new Sleeve({ self: identity.peer, counters, sink: io, overlayMtu });
  const tunnels = new Tunnels({
    identity,
    clusterKeys,
    bootEpoch: 1,
    suites: PORTABLE_SUITES,
    takesMarks: true,
    random: osRandom,
    counters,
    datapath: sleeve,
    config: { mtu: overlayMtu },
  });
  sleeve.setEvents(tunnels);
  io.start({
    onDatagrams: (sender, bytes, segment) => sleeve.handleDatagrams(sender, bytes, clock(), segment),
    onFrame: (frame) => sleeve.handleTunPacket(frame, clock()),
    onBatchEnd: () => sleeve.endBatch(clock()),
  });
  return { sleeve, tunnels };
}
