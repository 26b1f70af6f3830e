import { countBy, type GaugeTable, gaugeBy } from '../../base/gauges.ts';
import type { TunnelStatus } from './tunnel-status.ts';

const TUNNEL_KINDS = ['direct', 'relayed', 'handshaking', 'unreachable', 'idle'] as const;

/** What can be asked of the tunnels at any time. */
export const TUNNEL_GAUGES = {
  'tunnel.tunnels': gaugeBy(
    { name: 'kind', values: TUNNEL_KINDS },
    'count',
    'Tunnels to other nodes. Direct and relayed ones carry packets; an idle one has nothing to carry.',
    (tunnels) => countBy(TUNNEL_KINDS, tunnels, kindOf),
  ),
} as const satisfies GaugeTable<readonly TunnelStatus[]>;

function kindOf({ state, path }: TunnelStatus): (typeof TUNNEL_KINDS)[number] {
  if (state !== 'established') return state;
  return path?.kind === 'relay' ? 'relayed' : 'direct';
}
