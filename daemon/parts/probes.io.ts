import type { Counters } from '../../base/counters.ts';
import type { ProbeRequest, ProbeResult } from '../../control/probe-request.ts';
import type { Sysctl } from '../../linux/sysctl.io.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import type { DaemonCounter } from '../daemon-counters.ts';
import type { NodeLoop } from '../node-loop.io.ts';
import type { Counts } from '../probe/packets-dropped.ts';
import type { Probes } from '../probe/probes.io.ts';
import { readKernelCounters } from '../status/kernel-counters.io.ts';

/**
 * Joins probes of `weft why` to the node. What does them is loaded when somebody asks for one for the first time, here or on
 * a peer: hardly any weftd ever needs it.
 */
export function openProbes(options: {
  readonly node: WeftNode;
  readonly loop: NodeLoop;
  readonly sysctl: Sysctl;
  readonly counters: Counters<DaemonCounter>;
}): { probe(request: ProbeRequest): Promise<ProbeResult>; close(): void } {
  const { node, loop, sysctl, counters } = options;
  let loaded: Promise<Probes> | undefined;
  const load = (): Promise<Probes> => {
    loaded ??= import('../probe/probes.io.ts').then(
      ({ Probes }) => new Probes({ node, wake: loop.wake, sysctl, counters }),
    );
    return loaded;
  };
  loop.on('probeMessage', ({ from, bytes }) => {
    void load().then((probes) => probes.handleMessage(from, bytes));
  });
  return {
    probe: async (request) => {
      const { packetsDropped } = await import('../probe/packets-dropped.ts');
      const before = await countsOf(counters);
      const result = await (await load()).probe(request);
      return { ...result, dropped: packetsDropped(before, await countsOf(counters)) };
    },
    close: () => void loaded?.then((probes) => probes.close()),
  };
}

/** All counts of this node; without those of the kernel where they cannot be read. */
async function countsOf(counters: Counters<DaemonCounter>): Promise<Counts> {
  return { ...counters.snapshot(), ...(await readKernelCounters()).counts };
}
