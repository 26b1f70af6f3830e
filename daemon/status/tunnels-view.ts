import type { ToldTunnel } from '../../control/tunnels-request.ts';
import { peersView } from './peers-view.ts';
import type { StatusContext } from './status-context.ts';

/** From this loss on a tunnel is told before others. */
const BAD_LOSS = 0.02;

/** The tunnels of this node as other nodes are told of them, at most `limit`, the worst first, then the busiest. */
export function tunnelsView(
  context: StatusContext,
  limit: number,
): { readonly tunnels: readonly ToldTunnel[]; readonly more: number } {
  const used = peersView(context)
    .peers.filter(({ state }) => state !== 'idle' && state !== 'left')
    .map(({ name, version, endpoints, addresses, ...tunnel }): ToldTunnel => tunnel);
  used.sort((a, b) => faultOf(b) - faultOf(a) || bytesOf(b) - bytesOf(a));
  return { tunnels: used.slice(0, limit), more: Math.max(0, used.length - limit) };
}

/** How much is wrong with it. */
function faultOf({ state, endpoint, via, loss }: ToldTunnel): number {
  if (state !== 'connected' || (endpoint === null && via === null)) return 3;
  if ((loss ?? 0) >= BAD_LOSS) return 2;
  return via === null ? 0 : 1;
}

function bytesOf({ sentBytes, receivedBytes }: ToldTunnel): number {
  return sentBytes + receivedBytes;
}
