import { printable } from '../base/printable.ts';
import type { StatusResult } from '../control/control-protocol.ts';
import type { PeerStatus, PeersResult } from '../control/peer-status.ts';
import type { ReachOutcome } from '../host/tcp-probe.io.ts';
import { type Finding, fault, fine, skipped, warning } from './finding.ts';

/** How a TCP port of a peer answered. */
export interface TcpAttempt {
  readonly endpoint: string;
  readonly outcome: ReachOutcome;
}

/** A way to a peer, as `weft peers` tells it. */
export type PeerWay = Pick<PeersResult['peers'][number], 'mtu' | 'mtuConfirmed' | 'link'>;

/** What was asked of the weftd of this node, and what was tried of its peers from here. */
export interface MeshFacts {
  readonly status: StatusResult;
  /** How each peer's TCP port answered, by peer id: of all its endpoints the best. */
  readonly tcpByPeer: ReadonlyMap<string, TcpAttempt>;
  /** What weftd knows of the ways to peers, by peer id. */
  readonly wayByPeer: ReadonlyMap<string, PeerWay>;
  /** Version of the `weft` that asks. */
  readonly ownVersion: string;
  /** Versions that the peers tell, by peer id. */
  readonly versionByPeer: ReadonlyMap<string, string>;
}

/** What the node says of itself. */
export function weftdFindings({ status }: MeshFacts): Finding[] {
  const findings: Finding[] = [];
  const { state, detail } = status.ipam;
  if (state === 'ready')
    findings.push(fine('addresses', `this node owns ${status.ipam.ranges.join(', ') || 'no range yet'}`));
  else findings.push(fault('addresses', detail || state, "see 'weft ipam'"));
  for (const line of status.warnings ?? []) {
    const [seen, ...rest] = line.split('; ');
    findings.push(
      warning('weftd', printable(seen!, 400), printable(rest.join('; '), 400) || "see 'weft status'"),
    );
  }
  return findings;
}

/** Each peer: whether packets reach it, by which way, and what stands in the way where they do not. */
export function peerFindings(facts: MeshFacts): Finding[] {
  const { peers } = facts.status;
  if (peers.length === 0) return [skipped('peers', 'this node knows no other node')];
  return peers.filter(({ state }) => state !== 'left').map((peer) => peerFinding(peer, facts));
}

function peerFinding(peer: PeerStatus, { tcpByPeer, wayByPeer }: MeshFacts): Finding {
  const check = `peer ${printable(peer.name)}`;
  const tcp = tcpByPeer.get(peer.peerId);
  const way = wayByPeer.get(peer.peerId);
  const tcpAnswers = tcp !== undefined && 'rttMs' in tcp.outcome && tcp.outcome.outcome === 'open';
  const openUdp = 'let UDP of that port through, both ways, in the firewalls of both nodes and between them';
  if (peer.state === 'connected' && peer.via === null) {
    const rtt = peer.rttMs === null ? '' : `, round trip ${peer.rttMs.toFixed(1)} ms`;
    const seen = `direct tunnel to ${peer.endpoint}${rtt}, UDP both ways${sizeText(way)}`;
    if (tcp === undefined || tcpAnswers) return fine(check, `${seen}; ${tcpText(tcp !== undefined, way)}`);
    const fromThere = way?.link === 'theirs' ? ', from there it is' : '';
    const tried = `TCP to ${tcp.endpoint} ${WORDS[tcp.outcome.outcome]}${fromThere}`;
    return warning(check, `${seen}; ${tried}`, 'let TCP of that port through, both ways');
  }
  if (peer.state === 'connected') {
    const seen = `packets are relayed by ${printable(peer.via!)}, since UDP does not get through directly`;
    return warning(check, tcpAnswers ? `${seen}; TCP to ${tcp.endpoint} does` : seen, openUdp);
  }
  if (peer.state === 'idle') return fine(check, 'alive; no packet asked for a tunnel yet');
  if (peer.state === 'dead')
    return warning(
      check,
      'does not answer anybody',
      `start it, or run 'weft rmpeer ${printable(peer.name)}' if it is gone for good`,
    );
  if (tcp === undefined)
    return fault(check, `no tunnel (${peer.state}), and it tells no address`, 'give its weftd --advertise');
  const tried = `TCP to ${tcp.endpoint} ${WORDS[tcp.outcome.outcome]}`;
  if (tcpAnswers)
    return fault(check, `no tunnel (${peer.state}): UDP is not answered, while ${tried}`, openUdp);
  const remedy = 'see that it runs, and that UDP and TCP of that port are open between the nodes';
  return fault(check, `no tunnel (${peer.state}); ${tried}`, remedy);
}

function sizeText(way: PeerWay | undefined): string {
  if (way?.mtu === undefined) return ''; // an older weftd does not tell
  return way.mtuConfirmed
    ? `, packets of ${way.mtu} bytes proven`
    : `, packets of ${way.mtu} bytes not proven yet`;
}

/** Which ways TCP is known to work: a connection of theirs that stands is one that came in. */
function tcpText(answers: boolean, way: PeerWay | undefined): string {
  if (way?.link === 'theirs') return answers ? 'TCP both ways' : 'TCP from there';
  return answers ? 'TCP to there' : 'TCP not tried';
}

const WORDS = {
  open: 'is answered',
  refused: 'is refused',
  unreachable: 'is unreachable',
  silent: 'is not answered',
} as const;

/** Whether the nodes of the mesh run one version. Two are normal during an upgrade, and mesh with each other. */
export function versionFindings({ status, versionByPeer, ownVersion }: MeshFacts): Finding[] {
  const nameByPeer = new Map(status.peers.map((peer) => [peer.peerId, peer.name]));
  const others = [...versionByPeer].filter(([, version]) => version !== status.version);
  const findings: Finding[] = [];
  if (ownVersion !== status.version) {
    const seen = `weftd is of version ${status.version}, this weft of ${ownVersion}`;
    findings.push(warning('versions', seen, 'restart weftd, or use the weft of its version'));
  }
  if (others.length === 0) {
    if (findings.length === 0) findings.push(fine('versions', `all nodes known here run ${status.version}`));
    return findings;
  }
  const named = others
    .slice(0, 5)
    .map(
      ([peer, version]) =>
        `${printable(nameByPeer.get(peer) ?? peer.slice(0, 12))} ${printable(version, 64)}`,
    );
  const seen = `this node runs ${status.version}, others: ${named.join(', ')}${others.length > 5 ? ', …' : ''}`;
  findings.push(
    warning('versions', seen, 'finish the upgrade; nodes of two versions mesh with each other meanwhile'),
  );
  return findings;
}
