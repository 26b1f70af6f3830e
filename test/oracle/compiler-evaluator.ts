import { decide } from '../../npc/compiler/decide.ts';
import type { Cluster, Flow } from './api-objects.ts';
import { clusterSnapshot } from './cluster-snapshot.ts';

/**
 * What `weft-npc` says of the flows of a cluster, in the order in which objects were given.
 *
 * @throws Where it takes a question for none that can be asked.
 */
export function compilerEvaluator(cluster: Cluster): (flow: Flow) => boolean {
  const judged = clusterSnapshot({ ...cluster, overlayAddresses: cluster.overlayAddressesByNode });
  return (flow) => {
    const decision = decide(judged, flow);
    if (typeof decision === 'string') throw new Error(decision);
    return decision.allowed;
  };
}
