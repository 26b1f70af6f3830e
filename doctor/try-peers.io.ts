import { endpointHost, endpointPort, parseEndpoint } from '../base/endpoint.ts';
import type { PeersResult } from '../control/peer-status.ts';
import { probeTcp, type ReachOutcome } from '../host/tcp-probe.io.ts';
import type { TcpAttempt } from './mesh-findings.ts';

/** How long a peer's TCP port may take to answer, and how many are tried at a time. */
const TCP_TIMEOUT_MS = 2_000;
const TCP_AT_ONCE = 32;
/** Peers whose port is tried; those without a tunnel first. */
const MAX_PEERS_TRIED = 256;

/** Tries the TCP port of each peer, at all endpoints that it offers, and keeps the best outcome. */
export async function tryPeers({ peers }: PeersResult): Promise<Map<string, TcpAttempt>> {
  const tried = peers
    .filter(({ state }) => state !== 'dead' && state !== 'left')
    .sort((a, b) => Number(a.state === 'connected') - Number(b.state === 'connected'))
    .slice(0, MAX_PEERS_TRIED);
  const attempts = tried.flatMap(({ peerId, endpoints }) =>
    endpoints.flatMap((text) => {
      const at = parseEndpoint(text);
      return at === undefined ? [] : [{ peerId, at }];
    }),
  );
  const bestByPeer = new Map<string, TcpAttempt>();
  for (let from = 0; from < attempts.length; from += TCP_AT_ONCE) {
    await Promise.all(
      attempts.slice(from, from + TCP_AT_ONCE).map(async ({ peerId, at }) => {
        const outcome = await probeTcp(endpointHost(at), endpointPort(at), TCP_TIMEOUT_MS);
        const best = bestByPeer.get(peerId);
        if (best === undefined || RANK[outcome.outcome] > RANK[best.outcome.outcome])
          bestByPeer.set(peerId, { endpoint: at, outcome });
      }),
    );
  }
  return bestByPeer;
}

const RANK: Readonly<Record<ReachOutcome['outcome'], number>> = {
  open: 3,
  refused: 2,
  silent: 1,
  unreachable: 0,
};
