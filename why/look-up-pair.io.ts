import { formatAddress, sameAddress } from '../base/address.ts';
import { printable } from '../base/printable.ts';
import { parseCidr } from '../base/range.ts';
import { WeftError } from '../base/weft-error.ts';
import { askNpc } from '../control/ask-npc.io.ts';
import { askDaemon } from '../control/control-client.io.ts';
import type { ReportResult, StatusResult } from '../control/control-protocol.ts';
import { readForwardHindrances, readLegacyHindrances, readMasks } from '../ground/hindrances.io.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import { readDecided } from '../linux/policy-gate.io.ts';
import { RouteClient } from '../linux/rtnetlink/route-client.io.ts';
import { Sysctl } from '../linux/sysctl.io.ts';
import {
  chooseFamily,
  completeEnd,
  type NamedEnd,
  nameEnd,
  placeEnd,
  readAttachments,
} from './pair-ends.io.ts';
import type { PairEnd, PairFacts, PolicyFact, RouteFact } from './pair-facts.ts';
import type { WhyPort } from './why-port.ts';

/** Who is asked about, on which node. */
export interface PairQuestion {
  readonly runDir: string;
  readonly own: OwnLinks;
  readonly source: string;
  readonly target: string;
  readonly asked: WhyPort;
}

/** The facts, and what weftd said of itself meanwhile. */
export interface LookedUp {
  readonly facts: PairFacts;
  readonly report: ReportResult;
}

/**
 * Looks up all that can be known of a pair on the source's node, and changes nothing. Throws what weftd answers, and
 * E_OTHER_NODE where the source is on another node, E_SAME_POD, E_UNKNOWN_POD, E_NO_FAMILY.
 */
export async function lookUpPair(question: PairQuestion): Promise<LookedUp> {
  const { runDir, own, asked } = question;
  const [report, ipam, peers] = await Promise.all([
    askDaemon(runDir, { op: 'report' }),
    askDaemon(runDir, { op: 'ipam' }),
    askDaemon(runDir, { op: 'peers', all: true }),
  ]);
  const { status, settings } = report;
  const ranges = settings.ranges.flatMap((text) => parseCidr(text) ?? []);
  const where = { runDir, status, ipam, peers, ranges, attachments: readAttachments(runDir) };
  const named = {
    source: await nameEnd(question.source, where),
    target: await nameEnd(question.target, where),
  };
  const policy = await askPolicy(question, named, status);
  const told = policy.is === 'judged' ? policy.explained : undefined;
  const ends = {
    source: completeEnd(named.source, told?.source),
    target: completeEnd(named.target, told?.destination),
  };
  const [from, to] = chooseFamily(ends.source, ends.target);
  const client = RouteClient.open();
  try {
    const source = await placeEnd(ends.source, from, where, client);
    if (source.place.is === 'peer') throw elsewhere(source);
    const target = await placeEnd(ends.target, to, where, client);
    if (sameAddress(from, to)) throw samePod(source);
    const { drops, unread } = await readLegacyHindrances(own);
    const sysctl = new Sysctl(settings.sysctlDir);
    const forwarding = from.family === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding';
    const facts: PairFacts = {
      asked,
      nodeName: status.name,
      source,
      target,
      policy: asked.protocol === 'ICMP' && policy.is === 'judged' ? NOT_JUDGED : policy,
      decided: await readDecided(),
      forwarding: sysctl.read(forwarding),
      route: await readRoute(client, source, target),
      masks: await readMasks(client, { ...own, ranges }),
      drops: [...(await readForwardHindrances(own)), ...drops],
      unread,
      tun: own.tun,
    };
    return { facts, report };
  } finally {
    client.close();
  }
}

const NOT_JUDGED: PolicyFact = { is: 'unknown', why: 'weft-npc explains ports only, not echoes' };

/** Asks weft-npc by what the ends are called, which is by address where they have no name. */
async function askPolicy(
  { runDir, asked }: PairQuestion,
  { source, target }: { readonly source: NamedEnd; readonly target: NamedEnd },
  status: StatusResult,
): Promise<PolicyFact> {
  const port = asked.protocol === 'ICMP' ? '1' : `${asked.port}/${asked.protocol.toLowerCase()}`;
  const [from, to] = [source, target].map((end) => {
    const address = end.addresses[0];
    return end.pod ?? (address === undefined ? end.text : formatAddress(address));
  }) as [string, string];
  try {
    const explained = await askNpc(runDir, { op: 'policyExplain', source: from, destination: to, port });
    return { is: 'judged', explained };
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    if (error.code === 'E_NO_DAEMON' && status.policy === undefined) return { is: 'not-enforced' };
    const why =
      error.code === 'E_NO_DAEMON'
        ? 'weft-npc does not run; what it loaded last is still enforced, and the gate stays'
        : `weft-npc cannot say: ${printable(`${error.message}; ${error.remedy}`, 400)}`;
    return { is: 'unknown', why };
  }
}

/** The kernel is asked only where the source has an interface to come in by. */
async function readRoute(client: RouteClient, source: PairEnd, target: PairEnd): Promise<RouteFact> {
  const state = source.place.is === 'pod' ? source.place.local.state : undefined;
  if (state === undefined) return { is: 'unknown' };
  const from = { source: source.address, link: state.index };
  const found = await client.forwardingRoute(target.address, from);
  if (typeof found === 'string') return { is: 'refused', code: found };
  const link = found.link === undefined ? undefined : await client.link(found.link);
  if (link === undefined) return { is: 'refused', code: 'ENETUNREACH' };
  return { is: 'route', link: link.name, gateway: found.gateway };
}

function samePod({ text, pod, address }: PairEnd): WeftError {
  const who = `${printable(pod ?? text)} (${formatAddress(address)})`;
  return new WeftError(
    'E_SAME_POD',
    `both are ${who}, and what a pod sends to its own address stays inside it: Weft carries none of it`,
    'look inside the pod for what listens there; ask for a Service by its own address',
  );
}

function elsewhere({ text, pod, address, node }: PairEnd): WeftError {
  const name = printable(node ?? '');
  const who = `${printable(pod ?? text)} (${formatAddress(address)})`;
  return new WeftError(
    'E_OTHER_NODE',
    `${who} is on ${name}, and packets are looked at where they begin`,
    `run weft why on ${name}`,
  );
}
