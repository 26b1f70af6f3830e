import { formatAddress } from '../base/address.ts';
import { printable } from '../base/printable.ts';
import type {
  FarSightings,
  ProbeAnswer,
  ProbeDrop,
  ProbeHook,
  ProbeResult,
  ProbeWay,
  Sighting,
  Sightings,
} from '../control/probe-request.ts';
import type { Finding } from '../doctor/finding.ts';
import type { PairFacts } from './pair-facts.ts';
import { type PairVerdict, verdictOfFindings } from './verdict.ts';

/** What a probe is judged with. */
interface ProbeContext {
  readonly facts: PairFacts;
  /** What the facts mean: they say why, where the probe says where. */
  readonly findings: readonly Finding[];
}

/**
 * What became of a probe. It decides, not the facts: a packet that was answered has passed, whatever they say. The facts
 * tell the reason and the remedy for the station at which it was lost.
 */
export function verdictOfProbe({ near, far, answeredMs }: ProbeResult, context: ProbeContext): PairVerdict {
  const { facts } = context;
  const here = facts.nodeName;
  const there = printable(facts.target.node ?? '');
  const gone = nobodyHasIt(far, context);
  if (gone !== undefined) return gone;
  const dropped =
    dropOf(near, 'there', here, context) ?? (far == null ? undefined : dropOf(far, 'there', there, context));
  if (dropped !== undefined) return dropped;
  const answer = near.seen.find(({ says }) => says !== undefined);
  if (answer !== undefined) {
    const closed = refusal(answer, facts);
    if (closed !== undefined) return closed;
    if (near.seen.some(({ way, at }) => way === answer.way && at === 'out'))
      return { talk: true, because: answerText(answer.says!, answeredMs) };
    return (
      dropOf(near, answer.way, here, context) ??
      lost('way back', `the answer came back to ${here}, and does not reach the source`, context, ['source'])
    );
  }
  return lostNear(near, far, context);
}

/** `the probe there: wv… → weft0 → n2: weft0 → wv…`, for people. */
export function stationsText({ near, far }: ProbeResult, { nodeName, target }: PairFacts): string {
  const text = (node: string, { seen }: Sightings, way: ProbeWay): string[] => {
    const links = seen
      .filter((each) => each.way === way && ['in', 'out', 'input', 'output'].includes(each.at))
      .map(({ at, link }) => (at === 'input' || at === 'output' ? 'itself' : printable(link)));
    return links.length === 0 ? [] : [`${node}: ${links.join(' → ')}`];
  };
  const name = printable(target.node ?? '');
  const parts = (way: ProbeWay): string[] => {
    const [first, second] = [text(nodeName, near, way), far == null ? [] : text(name, far, way)];
    return way === 'there' ? [...first, ...second] : [...second, ...first];
  };
  const back = [...parts('back'), ...parts('error')];
  const there = parts('there');
  return `there by ${there.join(', ') || 'nothing'}; back by ${back.join(', ') || 'nothing'}`;
}

/** The address and port that a Service became on the way; undefined where it stayed what it was. */
export function translationOf(
  { near }: ProbeResult,
  { target }: PairFacts,
): { readonly address: string; readonly port: number } | undefined {
  const asked = formatAddress(target.address);
  const found = near.seen.find(({ way, at, other }) => way === 'there' && at !== 'in' && other !== asked);
  return found && { address: found.other, port: found.port ?? 0 };
}

/** An address that no pod has is the reason, wherever the packet then ends. */
function nobodyHasIt(far: FarSightings | null | undefined, context: ProbeContext): PairVerdict | undefined {
  const { place, node, address } = context.facts.target;
  if (place.is === 'nobody' || (place.is === 'outside' && place.inRange)) return faultAt(context, ['target']);
  if (far?.target !== 'nobody') return undefined;
  const because = `no pod of ${printable(node ?? '')} has ${formatAddress(address)}`;
  const remedy = "the pod is gone: take the address that it has now, see 'weft ipam'";
  return { talk: false, station: 'target', because, remedy };
}

/** Nobody said that it dropped the packet, and nobody answered: it was lost behind the last station that saw it. */
function lostNear(near: Sightings, far: FarSightings | null | undefined, context: ProbeContext): PairVerdict {
  const { facts } = context;
  const here = facts.nodeName;
  const saw = (at: ProbeHook): Sighting | undefined =>
    near.seen.find((each) => each.way === 'there' && each.at === at);
  if (saw('in') === undefined)
    return lost('source', `nothing of the probe came in on ${here}`, context, ['source']);
  if (saw('input') !== undefined) return silent(`${here} itself`, facts);
  if (saw('forward') === undefined) {
    const because = `the kernel of ${here} does not forward it: no route, no forwarding, or the way back does not lead to its interface`;
    return lost('route', because, context, ['source', 'forwarding', 'route']);
  }
  const out = saw('out');
  if (out === undefined) {
    const because = `${here} forwards it and it does not leave: a filter that nftables does not show`;
    return lost('packet filters', because, context, ['packet filters', 'egress policy', 'ingress policy']);
  }
  const link = printable(out.link);
  if (facts.target.place.is === 'outside') {
    const because = `it leaves ${here} by ${link}, and nothing comes back`;
    return lost(
      'outside',
      because,
      context,
      ['target', 'route'],
      'see whether the host there runs and lets it in',
    );
  }
  if (facts.target.place.is !== 'peer') return silent(`${link} of ${here}`, facts);
  if (out.link !== facts.tun)
    return lost('route', `it leaves ${here} by ${link} instead of ${facts.tun}`, context, ['route']);
  return lostFar(far ?? null, context);
}

/** It went into the tunnel. */
function lostFar(far: FarSightings | null, context: ProbeContext): PairVerdict {
  const { facts } = context;
  const there = printable(facts.target.node ?? '');
  if (far === null) {
    const because = `it went into the tunnel, and ${there} does not say whether it came out`;
    const remedy = `run weft doctor on ${there}; a weftd of an earlier version does not say`;
    return lost('tunnel', because, context, ['tunnel', 'target'], remedy);
  }
  const saw = (way: ProbeWay, at: ProbeHook): Sighting | undefined =>
    far.seen.find((each) => each.way === way && each.at === at);
  if (saw('there', 'in') === undefined)
    return lost('tunnel', `it went into the tunnel, and did not come out on ${there}`, context, ['tunnel']);
  if (saw('back', 'out') !== undefined || saw('error', 'out') !== undefined) {
    const because = `the answer left ${there} by ${printable((saw('back', 'out') ?? saw('error', 'out'))!.link)}, and did not come back`;
    return lost(
      'way back',
      because,
      context,
      ['tunnel'],
      `run weft doctor on ${there}: its way to this node`,
    );
  }
  const passed = saw('there', 'out') ?? saw('there', 'input');
  if (passed === undefined) return lostAtTarget(far, there, context);
  const back = dropOf(far, 'back', there, context) ?? dropOf(far, 'error', there, context);
  if (back !== undefined) return back;
  if (saw('back', 'in') !== undefined)
    return lost(
      'way back',
      `${there} does not forward the answer`,
      context,
      [],
      `run weft doctor on ${there}`,
    );
  return silent(`${passed.at === 'input' ? 'itself' : printable(passed.link)} of ${there}`, facts);
}

/** It came out of the tunnel, and did not leave towards the pod. */
function lostAtTarget(far: FarSightings, there: string, context: ProbeContext): PairVerdict {
  const doctor = `run weft doctor on ${there}`;
  if (far.gate === 'closed') return closedGate(there);
  if (far.forwards === false) {
    const because = `forwarding is off on ${there}`;
    const remedy = `switch it on there (sysctl), and see which program switches it off; ${doctor}`;
    return { talk: false, station: 'forwarding', because, remedy };
  }
  const because = `it came out of the tunnel on ${there}, and was lost before the pod`;
  return lost('target node', because, context, ['ingress policy'], doctor);
}

/** It reached the end, and nothing came back: only UDP may be like that. */
function silent(end: string, { asked }: PairFacts): PairVerdict {
  if (asked.protocol === 'UDP')
    return {
      talk: true,
      because: `the datagram reaches ${end}; nobody answered it, which is for the program there to do`,
    };
  const because = `the packet reaches ${end}, and the target does not answer at all`;
  const remedy = 'see in the target whether it runs, has that address, and filters packets itself';
  return { talk: false, station: 'target', because, remedy };
}

/** What an answer means that is none of the program's. */
function refusal({ says, other }: Sighting, { asked, target }: PairFacts): PairVerdict | undefined {
  const who = printable(other);
  const own = formatAddress(target.address) === other;
  if (says === 'refused' || says === 'port-closed') {
    const because = own
      ? `the target is reached, and no process listens on ${asked.protocol} ${asked.port} (${says === 'refused' ? 'RST' : 'ICMP port unreachable'})`
      : `${who} refuses it in the target's place`;
    const remedy = 'start the program, or see on which address and port it listens (ss -ltnup in the pod)';
    return { talk: false, station: 'target', because, remedy };
  }
  if (says === 'prohibited' || says === 'unreachable' || says === 'too-big') {
    const because = `${who} answers that it is ${ERROR_WORDS[says]}`;
    const remedy = `see the packet filters and routes of ${who}`;
    return { talk: false, station: own ? 'target' : 'packet filters', because, remedy };
  }
  return undefined;
}

const ERROR_WORDS = { prohibited: 'prohibited', unreachable: 'unreachable', 'too-big': 'too big' } as const;

function answerText(says: ProbeAnswer, answeredMs: number | null): string {
  const after = answeredMs === null ? '' : ` after ${answeredMs.toFixed(1)} ms`;
  return says === 'accepted' ? `the target accepts connections there${after}` : `the target answers${after}`;
}

function dropOf(
  { drops }: Sightings,
  way: ProbeWay,
  node: string,
  context: ProbeContext,
): PairVerdict | undefined {
  const drop = drops.find((each) => each.way === way);
  if (drop === undefined) return undefined;
  const { table } = drop;
  if (table === 'weft-npc') return deniedByNpc(drop, node, context);
  if (table === 'weft') return droppedByWeft(drop, node, context);
  return droppedByOther(drop, node);
}

function deniedByNpc({ chain, way }: ProbeDrop, node: string, context: ProbeContext): PairVerdict {
  if (chain.startsWith('gate')) {
    const known = faultAt(context, ['gate of the source', 'gate of the target']);
    return known ?? closedGate(node);
  }
  const what = way === 'there' ? 'it' : 'the answer';
  const because = `policies that weft-npc has loaded on ${node} deny ${what} (chain ${printable(chain)})`;
  const remedy = "see 'weft policy explain' and 'weft policy status' on that node";
  return lost('policies', because, context, ['egress policy', 'ingress policy'], remedy);
}

function closedGate(node: string): PairVerdict {
  const because = `the gate on ${node} is closed: nobody has decided yet which policies hold for the pod`;
  const remedy = `see 'weft policy status' on ${node}, and whether weft-npc runs there`;
  return { talk: false, station: 'gate of the target', because, remedy };
}

function droppedByWeft({ chain, way }: ProbeDrop, node: string, context: ProbeContext): PairVerdict {
  const what = way === 'there' ? 'it' : 'the answer';
  const why = WORDS_BY_CHAIN[chain] ?? 'it is not from a pod to a pod';
  const because = `the packet rules of Weft on ${node} drop ${what} (chain ${printable(chain)}): ${why}`;
  const remedy = `run weft doctor on ${node}, and see 'ip route get' of both addresses there`;
  return lost('packet rules', because, context, ['source', 'route'], remedy);
}

const WORDS_BY_CHAIN: Readonly<Record<string, string>> = {
  arrive: 'it came in neither from a pod nor out of the tunnel',
  fromPod: 'a pod sends from the addresses only that this node routes to its interface',
  fromTunnel: 'what comes out of the tunnel goes to a pod of this node, and no pod has that address',
  inClear: 'it would leave the node unencrypted, because another program changed routes or rules',
  translated: "it would leave without the node's address",
};

/** kube-proxy rejects what is for a Service without endpoints. */
function droppedByOther({ way, family, table, chain, rule }: ProbeDrop, node: string): PairVerdict {
  const what = way === 'there' ? 'it' : 'the answer';
  const name = printable(chain);
  const where = `${printable(family)} ${printable(table)}`;
  if (table === 'kube-proxy' || chain.startsWith('KUBE-')) {
    const because = `kube-proxy on ${node} rejects ${what} (chain ${name}): no endpoint of the Service is ready`;
    const remedy = "see 'kubectl get endpointslices' for the Service, and why its pods are not ready";
    return { talk: false, station: 'service', because, remedy };
  }
  const by = rule === null ? 'the policy' : `the rule with handle ${rule}`;
  const because = `${by} of the chain ${name} of the nftables table ${where} drops ${what} on ${node}`;
  const remedy = `let pods pass before it (nft -a list chain ${where} ${name} shows it)`;
  return { talk: false, station: 'packet filters', because, remedy };
}

/** The reason that the facts know for one of these stations, else what the probe saw. */
function lost(
  station: string,
  because: string,
  context: ProbeContext,
  stations: readonly string[],
  remedy = "run weft doctor on this node, and see 'weft report' for what it counts as dropped",
): PairVerdict {
  return faultAt(context, stations) ?? { talk: false, station, because, remedy };
}

function faultAt({ findings }: ProbeContext, stations: readonly string[]): PairVerdict | undefined {
  const verdict = verdictOfFindings(findings.filter(({ check }) => stations.includes(check)));
  return verdict.talk ? undefined : verdict;
}
