import { countBy, type GaugeTable, gaugeBy } from '../../base/gauges.ts';
import { SUITES } from '../../crypto/suite.ts';
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
  'tunnel.suites': gaugeBy(
    { name: 'suite', values: SUITES },
    'count',
    'Tunnels that carry packets, by the cipher that encrypts these.',
    (tunnels) =>
      countBy(
        SUITES,
        tunnels.filter(isUp).flatMap(({ suite }) => suite ?? []),
        (suite) => suite,
      ),
  ),
  'tunnel.rtt': gaugeBy(
    { name: 'percentile', values: ['p50', 'p90', 'max'] },
    'seconds',
    'Time for which a packet goes to another node and back, over all tunnels that carry packets; 0 where it was not measured.',
    (tunnels) => {
      const sorted = tunnels
        .filter(isUp)
        .flatMap(({ rttMs }) => rttMs ?? [])
        .sort((a, b) => a - b);
      const at = (part: number): number => percentile(sorted, part) / 1000;
      return { p50: at(0.5), p90: at(0.9), max: at(1) };
    },
  ),
  'tunnel.mtu': gaugeBy(
    { name: 'percentile', values: ['min', 'p50', 'max'] },
    'bytes',
    'The largest packet of a pod that a way takes, over all tunnels that carry packets; 0 where there is none.',
    (tunnels) => {
      const sorted = tunnels
        .filter(isUp)
        .map(({ mtu }) => mtu)
        .sort((a, b) => a - b);
      return { min: sorted[0] ?? 0, p50: percentile(sorted, 0.5), max: percentile(sorted, 1) };
    },
  ),
} as const satisfies GaugeTable<readonly TunnelStatus[]>;

function isUp({ state }: TunnelStatus): boolean {
  return state === 'established';
}

/** The least of `sorted` that `part` of them do not exceed; 0 where there are none. */
function percentile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
}

function kindOf({ state, path }: TunnelStatus): (typeof TUNNEL_KINDS)[number] {
  if (state !== 'established') return state;
  return path?.kind === 'relay' ? 'relayed' : 'direct';
}
