import { type GaugeTable, gauge, gaugeBy } from '../../base/gauges.ts';
import type { PolicyStatusResult } from '../../control/npc-request.ts';

const KINDS = ['namespaces', 'nodes', 'pods', 'networkpolicies', 'clusternetworkpolicies'] as const;

/** What weft-npc can be asked for at any time: what `weft policy status` shows. */
export const NPC_GAUGES = {
  'npc.copyComplete': gauge(
    'count',
    '1 where the copy of the API is complete, so that policies are enforced as they stand, else 0.',
    ({ copy }) => Number(copy.complete),
  ),
  'npc.copyObjects': gaugeBy(
    { name: 'kind', values: KINDS },
    'count',
    'Objects of the API that are known here, by kind: policies and pods of the whole cluster.',
    ({ copy }) => {
      const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<
        (typeof KINDS)[number],
        number
      >;
      for (const { kind, objects } of copy.kinds) counts[kind as (typeof KINDS)[number]] = objects;
      return counts;
    },
  ),
  'npc.podsAttached': gauge('count', 'Pods that hang on this node.', ({ attached }) => attached),
  'npc.podsGoverned': gauge(
    'count',
    'Pods of this node that policies select, and whose packet rules are loaded.',
    ({ loaded }) => loaded?.pods ?? 0,
  ),
  'npc.podsWaiting': gauge(
    'count',
    'Pods of this node for whom nobody has spoken yet. Nothing passes from or to them.',
    ({ waiting }) => waiting.length,
  ),
  'npc.rules': gauge(
    'count',
    'Packet rules of policies that are loaded.',
    ({ loaded }) => loaded?.rules ?? 0,
  ),
  'npc.chains': gauge(
    'count',
    'Chains of packet rules that are loaded.',
    ({ loaded }) => loaded?.chains ?? 0,
  ),
  'npc.sets': gauge('count', 'Sets of addresses that are loaded.', ({ loaded }) => loaded?.sets ?? 0),
  'npc.policiesUnhonoured': gauge(
    'count',
    "Policies of which something cannot be done as they say it. 'weft policy status' says which and why.",
    ({ unhonoured }) => unhonoured.length,
  ),
} as const satisfies GaugeTable<PolicyStatusResult>;
