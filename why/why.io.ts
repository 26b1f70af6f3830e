import { formatAddress } from '../base/address.ts';
import { printable } from '../base/printable.ts';
import { type Finding, fault } from '../doctor/finding.ts';
import { peerFindings } from '../doctor/mesh-findings.ts';
import { tryPeers } from '../doctor/try-peers.io.ts';
import { type LookedUp, lookUpPair, type PairQuestion } from './look-up-pair.io.ts';
import type { PairEnd } from './pair-facts.ts';
import { pairFindings } from './pair-findings.ts';
import { type PairVerdict, verdictOfFindings } from './verdict.ts';
import type { WhyPort } from './why-port.ts';

/** The answer of `weft why`. */
export interface WhyResult {
  readonly source: WhyEnd;
  readonly target: WhyEnd;
  readonly asked: WhyPort;
  /** In the order in which a packet meets them. */
  readonly findings: readonly Finding[];
  readonly verdict: PairVerdict;
}

/** One end, as `--json` prints it. */
export interface WhyEnd {
  readonly text: string;
  readonly pod: string | null;
  readonly address: string;
  readonly node: string | null;
}

/** Puts together whether the two can talk. Throws what {@link lookUpPair} does. */
export async function why(question: PairQuestion): Promise<WhyResult> {
  const lookedUp = await lookUpPair(question);
  const { facts } = lookedUp;
  const findings = pairFindings(facts, await tunnelFinding(lookedUp));
  return {
    source: whyEnd(facts.source),
    target: whyEnd(facts.target),
    asked: facts.asked,
    findings,
    verdict: verdictOfFindings(findings),
  };
}

/** What `weft doctor` finds of the peer that has the target. */
async function tunnelFinding({ facts, report }: LookedUp): Promise<Finding | undefined> {
  const { place } = facts.target;
  if (place.is !== 'peer') return undefined;
  const { peer } = place;
  const one = { ...report.peers, peers: [peer] };
  const [finding] = peerFindings({
    status: { ...report.status, peers: [peer] },
    tcpByPeer: await tryPeers(one),
    wayByPeer: new Map([[peer.peerId, peer]]),
    versionByPeer: new Map(),
    ownVersion: report.status.version,
  });
  // Who left is no peer to the doctor.
  const remedy = "the pod is gone: take the address that it has now, see 'weft ipam'";
  return finding ?? fault(`peer ${printable(peer.name)}`, 'has left the cluster', remedy);
}

function whyEnd({ text, pod, address, node }: PairEnd): WhyEnd {
  return { text, pod, address: formatAddress(address), node };
}
