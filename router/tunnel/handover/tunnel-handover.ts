import { equalBytes } from '../../../base/bytes.ts';
import type { Instant } from '../../../base/instant.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import type { KeptSessions } from '../../datapath/kept-sessions.ts';
import type { Liveness } from '../liveness.ts';
import type { Sessions } from '../sessions.ts';
import type { TunnelContext } from '../tunnel-context.ts';
import type { TunnelPath } from '../tunnel-path.ts';
import type { PeerInfo, TunnelState } from '../tunnel-status.ts';
import type { HandedTunnel } from './handed-tunnels.ts';

/** What of a tunnel goes on under another weftd of its node. */
export interface TunnelParts {
  readonly context: TunnelContext;
  readonly sessions: Sessions;
  readonly path: TunnelPath;
  readonly liveness: Liveness;
}

/** A tunnel, as far as it goes on. */
interface Handable {
  readonly peer: PeerId;
  readonly info: Pick<PeerInfo, 'noiseKey'>;
  readonly parts: TunnelParts;
}

/**
 * Those of `tunnels` that stand, for the weftd that is to go on with them. Their datapath moves nothing any more. Keys that
 * are kept nowhere go with nobody.
 */
export function handedTunnels(
  tunnels: Iterable<Handable & { readonly state: TunnelState }>,
  kept: Pick<KeptSessions, 'keys'>,
): HandedTunnel[] {
  const standing = [...tunnels].filter(({ state }) => state === 'established');
  return standing.map((tunnel) => handedTunnel(tunnel, kept));
}

function handedTunnel({ peer, info, parts }: Handable, kept: Pick<KeptSessions, 'keys'>): HandedTunnel {
  const { context, sessions, path, liveness } = parts;
  return {
    peer,
    noiseKey: info.noiseKey,
    sessions: sessions.standing.flatMap((session) => {
      const keys = kept.keys(session.localIndex);
      const progress = context.datapath.progress(session.localIndex);
      return keys === undefined || progress === undefined ? [] : [{ ...keys, ...session, progress }];
    }),
    path: path.current,
    observed: path.paths.observed,
    provenMtu: path.mtu.confirmed ? path.mtu.effective : undefined,
    rttMs: liveness.rttMs,
    traffic: context.datapath.stats(peer),
  };
}

/**
 * Has a tunnel that has done nothing yet go on where another weftd ended. False where that cannot be, for the sessions are
 * of another key, or none is there to send with.
 */
export function resumeTunnel({ peer, info, parts }: Handable, handed: HandedTunnel, now: Instant): boolean {
  const { context, sessions, path, liveness } = parts;
  const { datapath, indices, offer } = context;
  if (sessions.size > 0 || !equalBytes(handed.noiseKey, info.noiseKey)) return false;
  datapath.addTraffic(peer, handed.traffic);
  for (const session of handed.sessions)
    if (indices.claim(session.localIndex, peer)) sessions.resume(session);
  sessions.tick(now);
  const { current } = sessions;
  if (current === undefined) return false;
  path.resume(handed, Math.min(offer.mtu, current.peerMtu), now);
  datapath.use(current.localIndex);
  liveness.resumeRtt(handed.rttMs);
  liveness.start(datapath.stats(peer), now);
  return true;
}
