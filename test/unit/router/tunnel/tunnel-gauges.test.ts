import { deepEqual } from 'node:assert/strict';
import { readGauges } from '../../../../base/gauges.ts';
import { TUNNEL_GAUGES } from '../../../../router/tunnel/tunnel-gauges.ts';

type Tunnel = Parameters<(typeof TUNNEL_GAUGES)['tunnel.rtt']['read']>[0][number];

const up = (rttMs: number | undefined, mtu: number): Tunnel =>
  ({ state: 'established', path: { kind: 'direct' }, suite: 'aes-256-gcm', rttMs, mtu }) as unknown as Tunnel;

describe('the gauges of tunnels', () => {
  it('say how all that carry packets stand together', () => {
    const down = { state: 'unreachable', rttMs: 9_000, mtu: 100 } as Tunnel;
    const tunnels = [down, up(4, 1_400), up(undefined, 1_280), up(1, 1_400), up(2, 9_000)];
    deepEqual(readGauges(TUNNEL_GAUGES, tunnels), {
      'tunnel.tunnels': { direct: 4, relayed: 0, handshaking: 0, unreachable: 1, idle: 0 },
      'tunnel.suites': { 'aes-256-gcm': 4, 'chacha20-poly1305': 0 },
      'tunnel.rtt': { p50: 0.002, p90: 0.004, max: 0.004 },
      'tunnel.mtu': { min: 1_280, p50: 1_400, max: 9_000 },
    });
  });

  it('are 0 where there is no tunnel', () => {
    const { 'tunnel.rtt': rtt, 'tunnel.mtu': mtu } = readGauges(TUNNEL_GAUGES, []);
    deepEqual(
      [rtt, mtu],
      [
        { p50: 0, p90: 0, max: 0 },
        { min: 0, p50: 0, max: 0 },
      ],
    );
  });
});
