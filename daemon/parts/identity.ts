import { shortPeerId } from '../../base/peer-id.ts';
import { WeftError } from '../../base/weft-error.ts';
import { clock } from '../../host/clock.io.ts';
import type { Log } from '../../host/log.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import type { NodeLoop } from '../node-loop.io.ts';
import type { Config } from '../settings/config.ts';
import { EpochRaiser } from '../state/epoch-raiser.ts';
import type { StateFolder } from '../state/state-folder.io.ts';

/** What a node of Kubernetes ends with when it was removed from the ring; the kubelet starts it as a new node. */
const RETIRED = new WeftError(
  'E_REMOVED',
  'this node was removed from the ring while it was away',
  'nothing: it starts again as a new node; restart pods that still run on it',
);

/**
 * Acts where the node cannot go on as who it is:
 *
 * - Peers remember later records of this node than it has itself: its epoch is raised above them.
 * - The ring has removed it: in Kubernetes its state folder is retired and the process ends, to start as a new node.
 *   On a plain host a person has to decide that; the log and `weft status` say how.
 * - Another node has the same name: a warning, here and in `weft status`. Nothing but people goes by names.
 */
export function guardIdentity(options: {
  readonly config: Pick<Config, 'name' | 'kubernetes'>;
  readonly node: WeftNode;
  readonly loop: NodeLoop;
  readonly folder: Pick<StateFolder, 'raiseEpoch' | 'retire'>;
  readonly log: Log;
  readonly onFault: (error: unknown) => void;
}): void {
  const { config, node, loop, folder, log, onFault } = options;
  const epochs = new EpochRaiser({
    persist: (epoch) => folder.raiseEpoch(epoch),
    apply: (epoch) => node.gossip.raiseEpoch(epoch, clock()),
  });
  loop.on('member', ({ peer, name, state }) => {
    if (state !== 'alive' || name !== config.name || peer === node.peer) return;
    const remedy = 'give one of them another --name';
    log.warn('another node has the name of this one', { name, peer: shortPeerId(peer), remedy }, peer);
  });
  loop.on('rolledBack', ({ epoch }) => epochs.raiseAbove(epoch));
  loop.on('selfRemoved', () => {
    if (!config.kubernetes) return;
    folder.retire();
    onFault(RETIRED);
  });
}
