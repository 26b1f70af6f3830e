import type { Endpoint } from '../../base/endpoint.ts';
import type { Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { type Warning, warningOf } from '../../base/warning.ts';
import type { SeedStatus } from '../../control/peer-status.ts';
import type { Reach } from '../../node/seed-reach.ts';
import type { DialFailure } from '../../router/link/dial-failure.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';
import type { SoughtSeed } from '../peer-seeds.io.ts';
import { nameOf, type StatusContext } from './status-context.ts';

const REASONS: Readonly<Record<DialFailure, readonly [reason: string, remedy: string]>> = {
  refused: ['TCP is refused: nobody listens there', 'start weftd there, or correct the port'],
  unanswered: ['TCP is not answered', 'see that the host is up, and that no firewall drops the port'],
  unroutable: ['no route leads there', 'correct the address, or the routes of this host'],
  forbidden: [
    "this host's own rules forbid it",
    'allow TCP and UDP to that port in the firewall of this host',
  ],
  unconnected: ['the connection failed', "see 'weft report'"],
  'hung-up': [
    'it hung up at the handshake: it has another cluster secret, or is no weftd',
    'compare the secret files of both hosts, for instance by sha256sum',
  ],
  silent: ['it took the connection and then said nothing', 'see that a weftd listens on that port'],
  unproven: [
    'it does not belong to this cluster',
    'correct the address, or compare the secret files of both hosts',
  ],
  self: ['it is this node itself', 'remove it'],
};
const NO_UDP: readonly [string, string] = [
  'it is linked by TCP, but UDP to it is not answered',
  'let UDP through to that port, in the firewalls of both hosts and between them',
];

/** A tunnel that is not up so long after the link was is not answered. */
const HANDSHAKE_PATIENCE_MS = 10_000;

/** A dial that is due for so long is not wanted at present. */
const NOT_TRIED_MS = 10_000;

/** Peers that are alive, by their ids and by the endpoints at which they say to live. */
type AlivePeers = ReadonlyMap<PeerId | Endpoint, PeerId>;

/** What is looked at to know what came of the peers that are sought. */
export type SeedsContext = Pick<StatusContext, 'node' | 'name' | 'sought' | 'now'>;

/** The peers that this node was told to look for: each with what came of it, for how long, and what to do. */
export function seedRows(context: SeedsContext): SeedStatus[] {
  const alive = new Map<PeerId | Endpoint, PeerId>();
  for (const { peer, state, info } of context.node.gossip.members()) {
    if (state === 'dead' || state === 'left' || peer === context.node.peer) continue;
    for (const key of [peer, ...info.endpoints]) alive.set(key, peer);
  }
  return context.sought().map((seed) => seedRow(context, seed, alive));
}

/** A warning for each seed that is not reached, with what to do. */
export function seedWarnings(rows: readonly SeedStatus[]): Warning[] {
  return rows.flatMap(({ seed, state, reason, remedy, sinceS, nextTryS }) => {
    if (state !== 'failed' && state !== 'no-udp') return [];
    const next = nextTryS === null ? '' : `, next try in ${nextTryS} s`;
    const values = { seed, reason: reason ?? '', since: sinceS ?? 0, next, remedy: remedy ?? '' };
    return [warningOf(DAEMON_WARNINGS, 'W_PEER_NOT_REACHED', values)];
  });
}

function seedRow(
  context: SeedsContext,
  { text, endpoints, nameFault }: SoughtSeed,
  alive: AlivePeers,
): SeedStatus {
  const now = context.now();
  const row = (state: SeedStatus['state'], over: Partial<SeedStatus> = {}): SeedStatus => ({
    seed: text,
    state,
    name: null,
    reason: null,
    remedy: null,
    sinceS: null,
    nextTryS: null,
    ...over,
  });
  if (nameFault !== undefined && endpoints.length === 0) {
    const remedy = 'correct the name, or the resolver of this host';
    const reason = `there is no such name (${nameFault.reason})`;
    return row('failed', { reason, remedy, sinceS: secondsFrom(nameFault.since, now) });
  }
  const reaches = endpoints.flatMap((endpoint) => reachOf(context, endpoint, alive) ?? []);
  const met = reaches.find(({ kind }) => kind === 'met');
  if (met?.kind === 'met') {
    const { peer, since } = met;
    const over = { name: nameOf(context, peer), sinceS: secondsFrom(since, now) };
    const tunnel = context.node.tunnels.status(peer)?.state;
    const late = tunnel === 'handshaking' && now - since > HANDSHAKE_PATIENCE_MS;
    if (tunnel !== 'unreachable' && !late) return row('connected', over);
    return row('no-udp', { ...over, reason: NO_UDP[0], remedy: NO_UDP[1] });
  }
  const failed = reaches.find(({ kind }) => kind === 'failed');
  if (failed?.kind !== 'failed') return row('trying');
  const [reason, remedy] = REASONS[failed.failure];
  const nextAt = endpoints
    .flatMap((each) => context.node.gossip.nextDialAt(each) ?? [])
    .sort((a, b) => a - b)[0];
  // Who has links enough dials nobody: what it knows of the seed is old, and nothing is wrong.
  if (nextAt !== undefined && now - nextAt > NOT_TRIED_MS) return row('trying');
  const nextTryS = nextAt === undefined ? null : Math.max(0, Math.round((nextAt - now) / 1000));
  const state = failed.failure === 'self' ? 'self' : 'failed';
  return row(state, { reason, remedy, sinceS: secondsFrom(failed.since, now), nextTryS });
}

/**
 * What came of the last dial there. Whoever was met there counts for as long as they are alive. Where a dial failed and
 * the peer that says it lives there is alive, that one came to us since.
 */
function reachOf({ node }: SeedsContext, endpoint: Endpoint, alive: AlivePeers): Reach | undefined {
  const reach = node.seedReach.of(endpoint);
  if (reach?.kind === 'met' && !alive.has(reach.peer))
    return { kind: 'failed', failure: 'unanswered', since: reach.since };
  const here = alive.get(endpoint);
  if (reach?.kind === 'failed' && here !== undefined) return { kind: 'met', peer: here, since: reach.since };
  return reach;
}

function secondsFrom(since: Instant, now: Instant): number {
  return Math.round((now - since) / 1000);
}
