import type { Readiness } from '../host/health-server.io.ts';
import { NODE_KEY } from '../ipam/model/types.ts';
import type { WeftNode } from '../node/weft-node.ts';

/** What of a node its readiness is made from. */
interface Judged {
  readonly ipam: {
    status(): Pick<ReturnType<WeftNode['ipam']['status']>, 'state' | 'detail'>;
    allocation(key: typeof NODE_KEY): unknown;
  };
}

/**
 * Whether this weftd serves its node: pods that run have their network, and calls of the runtime are heard. This is what
 * /readyz answers, and what a rollout waits for. Neither a full pool nor a full disk nor a fault of the ring is a reason
 * not to be ready: all nodes may have that at once, and a rollout would take away each weftd that is not ready, before
 * its successor is there.
 *
 * @param isPluginReady whether the plugin has looked at all pods that were there at the start.
 */
export function readinessOf(node: Judged, isPluginReady: boolean): Readiness {
  if (!isPluginReady) return { ready: false, reason: 'weftd is starting' };
  const { state, detail } = node.ipam.status();
  const hasAddress = node.ipam.allocation(NODE_KEY) !== undefined;
  if (hasAddress && state !== 'removed') return { ready: true };
  return { ready: false, reason: detail || 'this node has no address yet' };
}
