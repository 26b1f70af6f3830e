import type { Address, Family } from '../../base/address.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { Range } from '../../base/range.ts';
import { type AuthorityView, NO_AUTHORITY } from '../model/authority.ts';
import type { Genesis } from '../model/genesis.ts';
import { type Accept, compareBallots, councilOf, type Grant, type RingLog } from './ring-log.ts';
import { SegmentMap } from './segments.ts';

/**
 * Who owns what: the ring as a pure function of the logs of all peers (docs/adr/0002-ring.md).
 *
 * Follow one address. At version 0 it belongs to whom the genesis says. If its owner at version v has, in its own
 * log, a grant of a block around it with version v + 1, it belongs to the grantee at version v + 1; if not, and the
 * owner was removed, it belongs to the heir at version v + 1; if neither, that owner is the owner. So each address
 * walks along one chain, and every step of the chain was written by the one who owned it, or by a majority of that
 * owner's own council. Nothing that a third peer writes can bend the chain. More logs only make chains longer.
 *
 * A grant applies to its whole block or not at all: the block has to be the grantor's at the version before,
 * throughout. So each grant is applied at most once, and evaluation is O(n log n) in the number of grants, whatever
 * malicious peers write. Of two grants of the same block and version in one log the first counts; two logs of one
 * peer that contradict each other are a fork, of which only the common part counts (ring-log.ts).
 */
export interface RingView {
  readonly genesis: Genesis | undefined;
  /** As {@link RingLog.genesisKey}. */
  readonly genesisKey: string | undefined;
  /** Peers that state another genesis. */
  readonly rivals: ReadonlySet<PeerId>;
  readonly segmentsByFamily: { readonly 4: SegmentMap; readonly 6: SegmentMap };
  /** Removed peers. */
  readonly removals: ReadonlyMap<PeerId, Removal>;
  /** Peers whose log is forked: they must not allocate, and neither gives nor gets ranges. */
  readonly forked: ReadonlySet<PeerId>;
  /** Peers that believe in the genesis and are not removed. */
  readonly members: ReadonlySet<PeerId>;
  /** Those that an authority outside is about to remove: they deal out nothing, and get nothing. */
  readonly fenced: ReadonlySet<PeerId>;
}

/** The outcome of a decided removal. */
export interface Removal {
  readonly heir: PeerId;
  /** Bytes of the removed peer's log that count. */
  readonly cut: number;
  /** More than one removal was decided, which takes a council that voted twice; the lowest ballot counts. */
  readonly contradicted: boolean;
}

/** A genesis, and its bytes as a map key ({@link RingLog.genesisKey}). */
export interface GenesisBelief {
  readonly genesis: Genesis;
  readonly genesisKey: string;
}

export type Logs = ReadonlyMap<PeerId, RingLog>;

/**
 * Evaluates `logs`, and the word of an authority outside where there is one. Equal logs and words give an equal view,
 * in whatever order they came and lie in the map.
 *
 * `own`: the genesis to which the evaluating node holds; without one, the genesis that most peers state.
 */
export function evaluateRing(
  logs: Logs,
  authority: AuthorityView = NO_AUTHORITY,
  own?: GenesisBelief,
): RingView {
  const origins = [...logs.keys()].sort();
  const { genesis, genesisKey } = own ?? mostStatedGenesis(logs, origins) ?? {};
  const rivals = new Set(
    origins.filter((origin) => ![undefined, genesisKey].includes(logs.get(origin)!.genesisKey)),
  );
  const segmentsByFamily = { 4: new SegmentMap(4), 6: new SegmentMap(6) };
  const loyal = origins.filter(
    (origin) => genesis !== undefined && logs.get(origin)!.genesisKey === genesisKey,
  );
  const removals = decideRemovals(logs, loyal);
  addDecrees(removals, logs, authority);
  for (const { range, owner } of genesis?.shares ?? [])
    segmentsByFamily[range.family].set(range.start, range.end, owner, 0);
  applyGrants(segmentsByFamily, logs, loyal, removals);
  return {
    genesis,
    genesisKey,
    rivals,
    segmentsByFamily,
    removals,
    forked: new Set(loyal.filter((origin) => logs.get(origin)!.forked)),
    members: new Set(loyal.filter((origin) => !removals.has(origin))),
    fenced: authority.fenced,
  };
}

/** The owner of one address; undefined outside the ring. */
export function ownerAt(view: RingView, address: Address): PeerId | undefined {
  return view.segmentsByFamily[address.family].at(address.value)?.owner;
}

/** Sorted, disjoint; neighbours that differ only in version are one. */
export function ownersOf(view: RingView): { readonly range: Range; readonly owner: PeerId }[] {
  const out: { range: Range; owner: PeerId }[] = [];
  for (const family of [4, 6] as const) {
    for (const { start, end, owner } of view.segmentsByFamily[family].segments) {
      const last = out.at(-1);
      if (last && last.range.family === family && last.owner === owner && last.range.end === start)
        out[out.length - 1] = { owner, range: { ...last.range, end } };
      else out.push({ owner, range: { family, start, end } });
    }
  }
  return out;
}

/**
 * The genesis that most peers state; of equally many, the one with the smaller bytes. Only a node that has none itself
 * goes by this: whoever can make identities could outnumber a ring.
 */
function mostStatedGenesis(logs: Logs, origins: readonly PeerId[]): GenesisBelief | undefined {
  const supportByKey = new Map<string, { count: number; genesis: Genesis }>();
  for (const origin of origins) {
    const { genesis, genesisKey } = logs.get(origin)!;
    if (genesis === undefined || genesisKey === undefined) continue;
    const support = supportByKey.get(genesisKey) ?? { count: 0, genesis };
    support.count++;
    supportByKey.set(genesisKey, support);
  }
  const [most] = [...supportByKey].sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1));
  return most && { genesis: most[1].genesis, genesisKey: most[0] };
}

/**
 * A removal is decided once a majority of the subject's council, as of the voted cut of the subject's own log, has
 * accepted it at one ballot. Votes are never taken back (logs only grow), so a decision stays. Until the subject's
 * log is known up to the cut, it cannot be judged and does not count yet.
 *
 * A subject that contradicts itself before the cut has destroyed its own list of judges, perhaps in order to undo its
 * removal. Then the proposal with most votes is decided, if these are two or more: any decision made before the fork
 * came to light has that many, and no single peer has.
 */
function decideRemovals(logs: Logs, loyal: readonly PeerId[]): Map<PeerId, Removal> {
  const votesByKey = new Map<string, { vote: Accept; voters: Set<PeerId> }>();
  for (const origin of loyal) {
    for (const vote of logs.get(origin)!.accepts) {
      const key = `${vote.subject} ${vote.ballot.round} ${vote.ballot.proposer} ${vote.heir} ${vote.cut}`;
      const entry = votesByKey.get(key) ?? { vote, voters: new Set() };
      entry.voters.add(origin);
      votesByKey.set(key, entry);
    }
  }
  const decidedBySubject = new Map<PeerId, Accept[]>();
  const mostBySubject = new Map<PeerId, number>();
  const fallbackBySubject = new Map<PeerId, Accept[]>();
  const add = (map: Map<PeerId, Accept[]>, vote: Accept): void => {
    const found = map.get(vote.subject);
    if (found) found.push(vote);
    else map.set(vote.subject, [vote]);
  };
  for (const { vote, voters } of votesByKey.values()) {
    const log = logs.get(vote.subject);
    if (log === undefined || vote.heir === vote.subject) continue;
    voters.delete(vote.subject);
    if (log.bytes.length >= vote.cut) {
      const council = councilOf(vote.subject, log, vote.cut);
      let count = 0;
      for (const voter of voters) if (council.has(voter)) count++;
      if (2 * count > council.size) add(decidedBySubject, vote);
    } else if (log.forked && voters.size >= 2) {
      const most = mostBySubject.get(vote.subject) ?? 0;
      if (voters.size < most) continue;
      if (voters.size > most) fallbackBySubject.delete(vote.subject);
      mostBySubject.set(vote.subject, voters.size);
      add(fallbackBySubject, vote);
    }
  }
  const removals = new Map<PeerId, Removal>();
  for (const [subject, votes] of [...fallbackBySubject, ...decidedBySubject]) {
    votes.sort(
      (a, b) =>
        compareBallots(a.ballot, b.ballot) || (a.heir < b.heir ? -1 : a.heir > b.heir ? 1 : a.cut - b.cut),
    );
    const { heir, cut } = votes[0]!;
    const contradicted = votes.some((vote) => vote.heir !== heir || vote.cut !== cut);
    removals.set(subject, { heir, cut, contradicted });
  }
  return removals;
}

/**
 * A decree goes before the vote of a council. As a vote, it counts once the subject's log is known up to the cut; a
 * log that is forked is as long as it will ever be. A decree with a cut of 0 counts at once: nothing that its subject
 * ever wrote is of any account.
 */
function addDecrees(removals: Map<PeerId, Removal>, logs: Logs, { decreeBySubject }: AuthorityView): void {
  for (const [subject, { heir, cut }] of decreeBySubject) {
    const log = logs.get(subject);
    if (log === undefined ? cut > 0 : log.bytes.length < cut && !log.forked) continue;
    const voted = removals.get(subject);
    const differs = voted !== undefined && (voted.heir !== heir || voted.cut !== cut);
    removals.set(subject, { heir, cut, contradicted: differs });
  }
}

/** One step of a chain that is due at its version. */
interface Step {
  readonly grantor: PeerId;
  readonly grant: Grant;
}

function applyGrants(
  maps: RingView['segmentsByFamily'],
  logs: Logs,
  loyal: readonly PeerId[],
  removals: ReadonlyMap<PeerId, Removal>,
): void {
  const stepsByVersion = new Map<number, Step[]>();
  for (const grantor of loyal) {
    const cut = removals.get(grantor)?.cut ?? Number.POSITIVE_INFINITY;
    for (const grant of logs.get(grantor)!.grants) {
      if (grant.end > cut) break;
      const steps = stepsByVersion.get(grant.version);
      if (steps) steps.push({ grantor, grant });
      else stepsByVersion.set(grant.version, [{ grantor, grant }]);
    }
  }
  const versions = [...stepsByVersion.keys()].sort((a, b) => a - b);
  const heirByPeer = reachableHeirs(removals);
  // What a removed peer owns at version v waits here to pass to the heir at v + 1, after its own grants at v + 1.
  let inherited: { family: Family; start: bigint; end: bigint; owner: PeerId }[] = [];
  const bequeath = (family: Family, start: bigint, end: bigint, owner: PeerId): void => {
    if (heirByPeer.has(owner)) inherited.push({ family, start, end, owner });
  };
  for (const family of [4, 6] as const)
    for (const { start, end, owner } of maps[family].segments) bequeath(family, start, end, owner);
  let version = 0;
  let nextStep = 0;
  while (nextStep < versions.length || inherited.length > 0) {
    version = inherited.length > 0 ? version + 1 : versions[nextStep]!;
    const bequests = inherited;
    inherited = [];
    if (versions[nextStep] === version) {
      for (const { grantor, grant } of stepsByVersion.get(version)!) {
        const { range, to } = grant;
        const segment = maps[range.family].at(range.start);
        if (segment?.owner !== grantor || segment.version !== version - 1 || segment.end < range.end)
          continue;
        maps[range.family].set(range.start, range.end, to, version);
        bequeath(range.family, range.start, range.end, to);
      }
      nextStep++;
    }
    for (const { family, start, end, owner } of bequests) {
      for (const segment of maps[family].overlapping(start, end)) {
        if (segment.owner !== owner || segment.version !== version - 1) continue;
        const from = segment.start > start ? segment.start : start;
        const to = segment.end < end ? segment.end : end;
        const heir = heirByPeer.get(owner)!;
        maps[family].set(from, to, heir, version);
        bequeath(family, from, to, heir);
      }
    }
  }
}

/**
 * The heir of each removed peer, without those whose heirs lead round in a circle of removed peers: their ranges stay
 * where they are (it takes malicious councils), so that evaluation ends.
 */
function reachableHeirs(removals: ReadonlyMap<PeerId, Removal>): Map<PeerId, PeerId> {
  const heirs = new Map<PeerId, PeerId>();
  for (const [subject, { heir }] of removals) {
    const visited = new Set<PeerId>([subject]);
    let at = heir;
    while (removals.has(at) && !visited.has(at)) {
      visited.add(at);
      at = removals.get(at)!.heir;
    }
    if (!removals.has(at)) heirs.set(subject, heir);
  }
  return heirs;
}
