import type { ReportResult } from '../control/control-protocol.ts';
import { canaryFinding } from '../doctor/canary.io.ts';
import { type Finding, fine, skipped } from '../doctor/finding.ts';
import type { OwnLinks } from '../linux/host-survey.ts';
import { type Check, familyOf, hostChecks, SERVER_PORT, serverChecks } from './check.ts';
import { outcomeFinding } from './outcome-finding.ts';
import type { OutsideTarget } from './outside-target.ts';
import { type PlainPod, PlainPods } from './plain-pods.io.ts';
import { tryCheck } from './try.io.ts';

/** Peers that are tried. */
const MAX_PEERS = 3;
/** A check with all its attempts, and a start of the program. */
const CHECK_MS = 15_000;

/** What a test of a plain host is made with. */
export interface PlainHostOptions {
  readonly runDir: string;
  readonly report: ReportResult;
  readonly own: OwnLinks;
  readonly pluginFolders: readonly string[];
  readonly outside: readonly OutsideTarget[];
  readonly signal: AbortSignal;
}

/**
 * Attaches two workloads to this node and tries what they reach: one another, this host, the hosts of peers, what lies
 * outside. Removes them at the end, however it comes.
 */
export async function* testPlainHost(options: PlainHostOptions): AsyncGenerator<Finding> {
  const { report, own, outside, signal } = options;
  const { name: node, addresses } = report.status;
  const pods = await PlainPods.open(options);
  try {
    const [a, b] = [await pods.attach(0), await pods.attach(1)];
    yield fine('workloads', `two on ${node}: ${a.addresses.join(', ')} and ${b.addresses.join(', ')}`);
    await pods.serve(b);
    const peers = report.peers.peers.filter(
      ({ state, addresses }) => state === 'connected' && addresses.length > 0,
    );
    const checks = [
      ...serverChecks('pod to pod of this node', b.addresses),
      ...hostChecks('pod to its node', addresses),
      ...peers.slice(0, MAX_PEERS).flatMap((peer) => peerChecks(peer.name, peer.addresses)),
      ...outside.map(outsideCheck),
    ];
    yield* tried(pods, a, checks, node);
    for (const check of nodeToPod(b)) {
      if (signal.aborted) return;
      yield outcomeFinding(check, await tryCheck(check), { source: addresses[0] ?? '', node });
    }
    if (peers.length === 0) yield skipped('other nodes', 'no peer is connected');
    if (outside.length === 0) yield skipped('outside', OUTSIDE_NOT_GIVEN);
    if (signal.aborted) return;
    const send = async (address: string, marker: Uint8Array): Promise<void> => {
      const what = { kind: 'mark', to: [address], marker: Buffer.from(marker).toString('hex') } as const;
      for await (const _ of pods.try(a, [{ name: 'mark', what }], CHECK_MS));
    };
    yield { ...(await canaryFinding(report.peers, own, send)), check: 'encryption' };
    for (const [check, why] of NOT_HERE) yield skipped(check, why);
  } finally {
    await pods.close();
  }
}

async function* tried(
  pods: PlainPods,
  pod: PlainPod,
  checks: readonly Check[],
  node: string,
): AsyncGenerator<Finding> {
  const checkByName = new Map(checks.map((check) => [check.name, check]));
  const asked = { source: pod.name, node };
  for await (const outcome of pods.try(pod, checks, CHECK_MS * checks.length)) {
    const check = checkByName.get(outcome.name);
    if (check !== undefined && checkByName.delete(outcome.name)) yield outcomeFinding(check, outcome, asked);
  }
  for (const check of checkByName.values()) yield outcomeFinding(check, undefined, asked);
}

/** Workloads on other hosts are not ours to make; their hosts answer. */
function peerChecks(name: string, addresses: readonly string[]): Check[] {
  const where = `pod to node ${name}`;
  return [
    ...hostChecks(where, addresses),
    ...addresses.map((to) => ({
      name: `${where}, ${familyOf(to)}, largest packet`,
      what: { kind: 'size-one-way', to } as const,
    })),
  ];
}

function nodeToPod({ addresses }: PlainPod): Check[] {
  return addresses.map((to) => ({
    name: `node to its pod, ${familyOf(to)}`,
    what: { kind: 'tcp', to, port: SERVER_PORT },
  }));
}

/** A connection to what lies outside of the cluster. */
export function outsideCheck({ address, port }: OutsideTarget): Check {
  return { name: `outside, ${familyOf(address)}, ${address}`, what: { kind: 'reach', to: address, port } };
}

export const OUTSIDE_NOT_GIVEN =
  'no address was given; give one that should be reached with --outside ADDRESS:PORT';

const NOT_HERE = [
  ['Services', 'a plain host has none'],
  ['DNS', 'containers of a plain host ask the servers that their runtime gives them'],
  ['policies', 'on a plain host nothing has any'],
] as const;
