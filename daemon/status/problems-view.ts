import type { Warning } from '../../base/warning.ts';
import { datapathWarnings } from './datapath-warnings.ts';
import { seedRows, seedWarnings } from './seeds-view.ts';
import { type NamedMember, sharedNames } from './shared-names.ts';
import type { StatusContext } from './status-context.ts';
import { statusWarnings } from './status-warnings.ts';

/** All that a user should know of and do something about, the worst first. */
export function problemsView(context: StatusContext, seeds = seedRows(context)): Warning[] {
  return [
    ...statusWarnings(context.node, context.warnings()),
    ...datapathWarnings(context.datapath.features),
    ...seedWarnings(seeds),
    ...sharedNames(namedMembers(context)),
  ];
}

/** This node and all that gossip knows, by the names that they gave themselves. */
function namedMembers({ node, name }: StatusContext): NamedMember[] {
  const others = node.gossip.members().filter(({ peer }) => peer !== node.peer);
  return [
    { peer: node.peer, name, state: 'alive' },
    ...others.map(({ peer, state, info }) => ({ peer, state, name: info.name })),
  ];
}
