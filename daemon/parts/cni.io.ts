import type { Counters } from '../../base/counters.ts';
import { DeletionFolder } from '../../cni/deletion-spool.io.ts';
import type { PoolState } from '../../cni/needs.ts';
import { CniPlugin } from '../../cni/plugin.ts';
import { KernelPodNetwork } from '../../cni/pod-network.io.ts';
import { clock } from '../../host/clock.io.ts';
import type { Sysctl } from '../../linux/sysctl.io.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import { RingAddressPool } from '../address-pool.ts';
import type { NodeLoop } from '../node-loop.io.ts';

/** The daemon's side of the CNI plugin. */
export interface Cni {
  readonly plugin: CniPlugin;
  /** Whether pods can be attached now, and why not. */
  readiness(): PoolState;
  /** The pods keep their network. */
  close(): void;
}

/** Joins the CNI plugin to the node, whose ring is its pool of addresses, and to the kernel. Nothing changes there yet. */
export function openCni(options: {
  readonly node: WeftNode;
  readonly loop: NodeLoop;
  readonly sysctl: Sysctl;
  /** Where the shim leaves deletions that came while no weftd ran. */
  readonly runDir: string;
  /** Bytes: of new pods' interfaces. */
  readonly mtu: () => number;
  readonly counters: Counters;
}): Cni {
  const { node, loop, sysctl, runDir, mtu, counters } = options;
  const pool = new RingAddressPool({
    allocate: loop.waking((key) => node.allocate(key, clock())),
    release: (key) => {
      node.ipam.release(key, clock());
      loop.settleNow();
    },
    allocations: () => node.ipam.allocations(),
    addressesOf: (key) => node.ipam.allocation(key)?.addresses,
    status: () => node.ipam.status(),
    diskFault: () => node.diskFault,
  });
  loop.on('allocated', (out) => pool.answer(out));
  loop.on('allocateFailed', (out) => pool.answer(out));
  loop.on('disk', ({ fault }) => {
    if (fault !== undefined) pool.refuse(fault);
  });
  const network = KernelPodNetwork.open(sysctl);
  const plugin = new CniPlugin({
    pool,
    network,
    spool: new DeletionFolder(runDir),
    mtu,
    counters,
    timeout: (ms) => AbortSignal.timeout(ms),
  });
  return {
    plugin,
    readiness: () => (plugin.ready ? pool.state() : { ready: false, reason: 'weftd is starting' }),
    close: () => network.close(),
  };
}
