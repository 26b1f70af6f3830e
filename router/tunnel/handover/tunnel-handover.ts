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
type Standing = Handable & { readonly state: TunnelState };

/**
 * Those of `tunnels` that stand, for the weftd that is to go on with them, and those that stand as soon as the peer says the
 * first word on a session that waits for it: the peer has that session, and sends on it. Those whose peer is heard no more
 * are left out, for they are being made anew. Their datapath moves nothing any more. Keys that are kept nowhere go with nobody.
 */
export function handedTunnels(tunnels: Iterable<Standing>, kept: Pick<KeptSessions, 'keys'>): HandedTunnel[] {
  const goOn = [...tunnels].filter(
    ({ state, parts: { sessions } }) => state === 'established' || sessions.next !== undefined,
  );
  return goOn.map((tunnel) => handedTunnel(tunnel, kept));
}

function handedTunnel(
  { peer, info, parts, state }: Standing,
  kept: Pick<KeptSessions, 'keys'>,
): HandedTunnel {
  const { context, sessions, path, liveness } = parts;
  return {
    peer,
    noiseKey: info.noiseKey,
    sessions: sessions.standing.flatMap((session) => {
      if (state !== 'established' && session.role !== 'next') return [];
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
 * of another key, or their time is over. One with a session that waits for its peer waits on.
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
  if (current === undefined) return sessions.next !== undefined;
  path.resume(handed, Math.min(offer.mtu, current.peerMtu), now);
  datapath.use(current.localIndex);
  liveness.resumeRtt(handed.rttMs);
  liveness.start(datapath.stats(peer), now);
  return true;
}
