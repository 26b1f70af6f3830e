import { formatAddress } from '../../base/address.ts';
import type { Counters } from '../../base/counters.ts';
import { type Warning, warningOf } from '../../base/warning.ts';
import type { CniCounter } from '../../cni/cni-counters.ts';
import { DeletionFolder } from '../../cni/deletion-spool.io.ts';
import type { PodGate } from '../../cni/needs.ts';
import { CniPlugin } from '../../cni/plugin.ts';
import { ownerText } from '../../cni/pod-args.ts';
import { KernelPodNetwork } from '../../cni/pod-link/pod-network.io.ts';
import { clock } from '../../host/clock.io.ts';
import type { Readiness } from '../../host/health-server.io.ts';
import type { Log } from '../../host/log.ts';
import type { AllocationKey } from '../../ipam/model/types.ts';
import type { Sysctl } from '../../linux/sysctl.io.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import { RingAddressPool } from '../address-pool.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';
import type { NodeLoop } from '../node-loop.io.ts';
import { type Bequest, HeldPods } from '../pods/held-pods.io.ts';
import type { PodCounter } from '../pods/pod-counters.ts';
import { POD_WARNINGS } from '../pods/pod-warnings.ts';
import { readinessOf } from '../readiness.ts';

/** Pods that `weft status` names as cut off. */
const MAX_CUT_OFF = 8;

/** The daemon's side of the CNI plugin. */
interface Cni {
  readonly plugin: CniPlugin;
  /** Whether this weftd serves its node. */
  serves(): Readiness;
  /** What a user should know: pods wait for addresses, or undo what is put right in them. */
  warnings(): Warning[];
  /** The weftd before this one hands over a pod; see {@link CniPlugin.adopt}. */
  adopt(pod: object, fds: readonly number[]): Promise<void>;
  /** The pods that it held, for the next weftd. */
  bequeath(): Bequest[];
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
  /** Undefined: pods are open at once. */
  readonly gate: PodGate | undefined;
  readonly counters: Counters<CniCounter | PodCounter>;
  readonly log: Log;
  /** What the ring waits for, or what is wrong with it. */
  readonly ringDetail: () => string;
}): Cni {
  const { node, loop, sysctl, runDir, mtu, gate, counters, ringDetail, log } = options;
  const pool = new RingAddressPool({
    allocate: loop.waking((key) => node.allocate(key, clock())),
    release: (key) => {
      node.ipam.release(key, clock());
      loop.settleNow();
    },
    allocations: () => node.ipam.allocations(),
    addressesOf: (key) => node.ipam.allocation(key)?.addresses,
    status: () => node.ipam.status(),
    ringDetail,
    diskFault: () => node.diskFault,
  });
  loop.on('allocated', (out) => pool.answer(out));
  loop.on('allocateFailed', (out) => pool.answer(out));
  loop.on('disk', ({ fault }) => {
    if (fault !== undefined) pool.refuse(fault);
  });
  const network = KernelPodNetwork.open(sysctl);
  const held = new HeldPods({ clock, log, counters });
  const plugin = new CniPlugin({
    holder: held,
    pool,
    network,
    spool: new DeletionFolder(runDir),
    gate,
    mtu,
    counters,
    timeout: (ms) => AbortSignal.timeout(ms),
  });
  const judged = {
    ipam: {
      status: () => ({ ...node.ipam.status(), detail: ringDetail() }),
      allocation: (key: AllocationKey) => node.ipam.allocation(key),
    },
  };
  return {
    plugin,
    serves: () => readinessOf(judged, plugin.ready),
    warnings: () => {
      const shortage = pool.shortage();
      const short =
        shortage === undefined ? [] : [warningOf(DAEMON_WARNINGS, 'E_NO_POD_ADDRESS', { shortage })];
      const cutOff = plugin.cutOff().slice(0, MAX_CUT_OFF);
      const lost = cutOff.map(({ key, addresses: { v4, v6 } }) => {
        const known = [v4, v6].filter((address) => address !== undefined);
        const pod = `${ownerText({ kind: 'none' }, key)} (${known.map(formatAddress).join(', ')})`;
        return warningOf(POD_WARNINGS, 'W_POD_CUT_OFF', { pod });
      });
      return [...short, ...lost, ...held.warnings()];
    },
    adopt: async (pod, fds) => {
      try {
        await plugin.adopt(pod, fds);
        counters.add('pods.handedOver');
      } catch (error) {
        counters.add('pods.handOverFailed');
        log.warn('a pod could not be taken over from the weftd before', { fault: String(error) });
        throw error;
      }
    },
    bequeath: () => held.bequeath(),
    close: () => {
      held.close();
      network.close();
    },
  };
}
