import { formatAddress } from '../base/address.ts';
import { printable } from '../base/printable.ts';
import { WeftError } from '../base/weft-error.ts';
import { askDaemon } from '../control/control-client.io.ts';
import { MAX_PROBE_BYTES, type ProbeResult } from '../control/probe-request.ts';
import { type Finding, fault, fine, skipped } from '../doctor/finding.ts';
import { peerFindings } from '../doctor/mesh-findings.ts';
import { tryPeers } from '../doctor/try-peers.io.ts';
import { deniedLately, MAX_DENIED_ROWS } from './denied-lately.ts';
import { type LookedUp, lookUpPair, type PairQuestion } from './look-up-pair.io.ts';
import type { PairEnd, PairFacts } from './pair-facts.ts';
import { pairFindings } from './pair-findings.ts';
import { stationsText, translationOf, verdictOfProbe } from './probe-verdict.ts';
import { type PairVerdict, verdictOfFindings } from './verdict.ts';
import type { WhyPort } from './why-port.ts';

/** The answer of `weft why`. */
export interface WhyResult {
  readonly source: WhyEnd;
  readonly target: WhyEnd;
  readonly asked: WhyPort;
  /** In the order in which a packet meets them. */
  readonly findings: readonly Finding[];
  /** What was sent and where it was seen; null where nothing was. Its form may change at any time. */
  readonly probe: ProbeResult | null;
  readonly verdict: PairVerdict;
}

/** One end, as `--json` prints it. */
export interface WhyEnd {
  readonly text: string;
  readonly pod: string | null;
  readonly address: string;
  readonly node: string | null;
}

/** What is asked, and whether a packet may be sent for it. */
interface WhyQuestion extends PairQuestion {
  readonly probes: boolean;
}

/** Puts together whether the two can talk. Throws what {@link lookUpPair} does. */
export async function why(question: WhyQuestion): Promise<WhyResult> {
  const lookedUp = await lookUpPair(question);
  const { facts } = lookedUp;
  const findings = [
    ...pairFindings(facts, await tunnelFinding(lookedUp)),
    ...(await deniedBefore(question, facts)),
  ];
  const ends = { source: whyEnd(facts.source), target: whyEnd(facts.target), asked: facts.asked };
  const probed = question.probes ? await tryProbe(question, facts, 0) : 'not asked for';
  if (typeof probed === 'string') {
    const all = [...findings, skipped('probe', probed)];
    return { ...ends, findings: all, probe: null, verdict: verdictOfFindings(findings) };
  }
  const endpoint = facts.target.place.is === 'outside' ? translationOf(probed, facts) : undefined;
  const isItself = endpoint?.address === ends.source.address;
  if (endpoint !== undefined && !isItself) return whyOfEndpoint(question, facts, endpoint);
  // What a pod sends to its own address stays inside it: only as sent to the Service it comes by here, and back.
  if (endpoint !== undefined) findings.unshift(serviceFinding(facts, endpoint));
  const verdict = verdictOfProbe(probed, { facts, findings });
  const stations = stationsText(probed, facts);
  const found = verdict.talk ? fine('probe', stations) : fault('probe', stations, verdict.remedy);
  const size = verdict.talk ? await probeSize(question, facts) : undefined;
  return {
    ...ends,
    findings: [...findings, found, droppedFinding(probed), ...(size === undefined ? [] : [size])],
    probe: probed,
    verdict: size?.verdict === 'fault' ? verdictOfFindings([size]) : verdict,
  };
}

/** A Service was asked for: what is said of the endpoint that it became this time holds for it. */
async function whyOfEndpoint(
  question: WhyQuestion,
  { source, target, asked }: PairFacts,
  { address, port }: { readonly address: string; readonly port: number },
): Promise<WhyResult> {
  const endpoint = { ...question, target: address, asked: { ...asked, port } };
  const result = await why(endpoint);
  return {
    ...result,
    target: { ...result.target, text: target.text },
    findings: [serviceFinding({ source, target, asked }, { address, port }), ...result.findings],
  };
}

function serviceFinding(
  { source, target, asked }: Pick<PairFacts, 'source' | 'target' | 'asked'>,
  { address, port }: { readonly address: string; readonly port: number },
): Finding {
  const whose = address === formatAddress(source.address) ? 'the pod itself, ' : '';
  const service = `${formatAddress(target.address)} port ${asked.port} is a Service`;
  return fine('service', `${service}; this time its endpoint is ${whose}${address} port ${port}`);
}

/** Sends a packet as the source would. A text says why none was sent. */
async function tryProbe(
  { runDir }: WhyQuestion,
  { source, target, asked }: PairFacts,
  bytes: number,
): Promise<ProbeResult | string> {
  if (source.place.is !== 'pod' || source.place.local.state === undefined) return 'no pod to send as';
  const { protocol, port } = asked;
  if (protocol === 'SCTP') return 'no packet of SCTP is sent; what is said here is what can be looked up';
  const [from, to] = [formatAddress(source.address), formatAddress(target.address)];
  try {
    return await askDaemon(runDir, { op: 'probe', source: from, target: to, protocol, port, bytes });
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return printable(`${error.message}; ${error.remedy}`, 400);
  }
}

/** Nothing where weftd does not say. */
async function deniedBefore({ runDir }: WhyQuestion, { source, target }: PairFacts): Promise<Finding[]> {
  const [from, to] = [formatAddress(source.address), formatAddress(target.address)];
  const filter = { from, to, verdict: 'dropped' } as const;
  try {
    const limit = MAX_DENIED_ROWS;
    return [deniedLately(await askDaemon(runDir, { op: 'flows', want: 'last', cursor: '', limit, filter }))];
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    return [];
  }
}

/** What the whole node dropped meanwhile: of others, too, so it decides nothing. */
function droppedFinding({ dropped }: ProbeResult): Finding {
  const counted = Object.entries(dropped).map(([name, packets]) => `${name} ${packets}`);
  const seen = `this node counted as dropped meanwhile: ${counted.join(', ') || 'nothing'}`;
  return fine('counters', seen);
}

/**
 * The same with a packet as large as the source may send. Not with UDP, where the program would have to make sense of it, nor
 * beyond the cluster, where hosts on the way may take a SYN with data for an attack.
 */
async function probeSize(question: WhyQuestion, facts: PairFacts): Promise<Finding | undefined> {
  const { source, target, asked } = facts;
  const mtu = source.place.is === 'pod' ? source.place.local.state?.mtu : undefined;
  if (mtu === undefined || mtu > MAX_PROBE_BYTES || asked.protocol === 'UDP' || target.place.is === 'outside')
    return undefined;
  const probed = await tryProbe(question, facts, mtu);
  if (typeof probed === 'string') return undefined;
  const check = 'size';
  const says = probed.near.seen.find((each) => each.says !== undefined)?.says;
  if (says === 'too-big')
    return fine(check, `packets of ${mtu} bytes are too big for the way, which the source is told (ICMP)`);
  if (says !== undefined) return fine(check, `packets of ${mtu} bytes get through`);
  const seen = `small packets get through, those of ${mtu} bytes are lost, and nobody tells the source (ICMP): connections open, and hang`;
  const remedy =
    "see 'weft peers' for the size that is proven, and let ICMP 'fragmentation needed' and 'packet too big' pass on both nodes and between them";
  return fault(check, seen, remedy);
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
