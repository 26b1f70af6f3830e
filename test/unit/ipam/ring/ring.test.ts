import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { PeerId } from '../../../../base/peer-id.ts';
import type { Range } from '../../../../base/range.ts';
import { MAX_PAYLOAD_LENGTH } from '../../../../gossip/model/record.ts';
import { Ring } from '../../../../ipam/ring/ring.ts';
import {
  appendToLog,
  councilOf,
  decodeRingLog,
  emptyLog,
  joinLogs,
  type NewEntry,
  RING_LOG_LIMIT,
  type RingLog,
} from '../../../../ipam/ring/ring-log.ts';
import { evaluateRing, ownerAt, ownersOf, type RingView } from '../../../../ipam/ring/ring-view.ts';
import { cidr, genesisOf, logOf, peerId, V4 } from '../support.ts';

const [A, B, C, D] = [peerId(1), peerId(2), peerId(3), peerId(4)] as [PeerId, PeerId, PeerId, PeerId];
const genesis = genesisOf([A]);
const believes: NewEntry = { kind: 'genesis', genesis };

function grant(text: string, to: PeerId, version: number): NewEntry {
  return { kind: 'grant', range: cidr(text), to, version };
}

function viewOf(logs: Record<PeerId, RingLog>): RingView {
  return evaluateRing(new Map(Object.entries(logs) as [PeerId, RingLog][]));
}

function ownerOf(view: RingView, text: string): PeerId | undefined {
  return ownerAt(view, { family: 4, value: cidr(`${text}/32`).start });
}

const vote = (subject: PeerId, heir: PeerId, cut: number, round = 1, proposer = heir): NewEntry => ({
  kind: 'accept',
  subject,
  ballot: { round, proposer },
  heir,
  cut,
});

describe('the ring', () => {
  it('begins with the genesis', () => {
    const view = viewOf({ [A]: logOf(believes) });
    assert.deepEqual(ownersOf(view), [{ range: V4, owner: A }]);
  });

  it('moves a block that its owner grants, and moves it on', () => {
    const view = viewOf({
      [A]: logOf(believes, grant('10.32.128.0/17', B, 1)),
      [B]: logOf(believes, grant('10.32.192.0/18', C, 2)),
    });
    assert.equal(ownerOf(view, '10.32.0.1'), A);
    assert.equal(ownerOf(view, '10.32.128.1'), B);
    assert.equal(ownerOf(view, '10.32.192.1'), C);
  });

  it('lets nobody grant what is not its own, in the version that it has', () => {
    const wrong = [
      grant('10.32.0.0/17', C, 1), // never B's
      grant('10.32.128.0/17', C, 1), // B's, but at version 1
      grant('10.32.128.0/17', C, 3),
      grant('10.32.0.0/16', C, 2), // only half is B's
    ];
    for (const entry of wrong) {
      const logs: Record<PeerId, RingLog> = { [A]: logOf(believes, grant('10.32.128.0/17', B, 1)) };
      assert.deepEqual(ownersOf(viewOf({ ...logs, [B]: logOf(believes, entry) })), ownersOf(viewOf(logs)));
    }
  });

  it('lets a block go away and come back', () => {
    const view = viewOf({
      [A]: logOf(believes, grant('10.32.128.0/17', B, 1), grant('10.32.128.0/17', C, 3)),
      [B]: logOf(believes, grant('10.32.128.0/17', A, 2)),
    });
    assert.equal(ownerOf(view, '10.32.128.1'), C);
  });

  it('counts the first of two grants of one block, and ignores grants of peers of another ring', () => {
    const view = viewOf({
      [A]: logOf(believes, grant('10.32.128.0/17', B, 1), grant('10.32.128.0/17', C, 1)),
    });
    assert.equal(ownerOf(view, '10.32.128.1'), B);
    const rival = genesisOf([C], [V4], '22');
    const two = viewOf({
      [A]: logOf(believes, grant('10.32.128.0/17', B, 1)),
      [B]: logOf(believes),
      [C]: logOf({ kind: 'genesis', genesis: rival }, grant('10.32.0.0/17', C, 1)),
    });
    assert.equal(two.rivals.size, 1);
    assert.equal(ownerOf(two, '10.32.0.1'), A);
    assert.deepEqual([...two.members].sort(), [A, B]);
  });

  it('removes a peer once a majority of its own council has voted alike, and not before', () => {
    const subject = logOf(
      believes,
      ...[B, C, D].map((peer): NewEntry => ({ kind: 'join', peer })),
      grant('10.32.192.0/18', B, 1),
    );
    const cut = subject.bytes.length;
    const late = appendToLog(subject, [grant('10.32.0.0/18', D, 1)])!;
    const voted = (round: number, heir: PeerId, at = cut) => logOf(believes, vote(A, heir, at, round));
    const base = { [A]: late, [D]: logOf(believes) };
    const undecided = viewOf({ ...base, [B]: voted(1, B), [C]: voted(1, B) });
    assert.equal(undecided.removals.size, 0, 'two of four are no majority');
    const mixed = viewOf({ ...base, [B]: voted(1, B), [C]: voted(2, B), [D]: voted(3, B) });
    assert.equal(mixed.removals.size, 0, 'votes at different ballots do not add up');
    const view = viewOf({ ...base, [B]: voted(1, B), [C]: voted(1, B), [D]: voted(1, B) });
    assert.equal(view.removals.get(A)?.heir, B);
    assert.equal(ownerOf(view, '10.32.0.1'), B, 'what it granted behind the cut is void');
    assert.equal(ownerOf(view, '10.32.192.1'), B);
    assert.ok(!view.members.has(A));
  });

  it('does not count votes from outside the council, however many', () => {
    const subject = logOf(believes, { kind: 'join', peer: B }, { kind: 'join', peer: C });
    const outsiders = Array.from({ length: 50 }, (_, i) => [
      peerId(100 + i),
      logOf(believes, vote(A, D, subject.bytes.length)),
    ]);
    const view = viewOf({
      ...Object.fromEntries(outsiders),
      [A]: subject,
      [D]: logOf(believes, vote(A, D, subject.bytes.length)),
    });
    assert.equal(view.removals.size, 0);
  });

  it('passes on what is granted to a removed peer, through removed heirs too, and ends in a circle of them', () => {
    const council = (...peers: PeerId[]) => peers.map((peer): NewEntry => ({ kind: 'join', peer }));
    const b = logOf(believes, ...council(A, C, D));
    const c = logOf(believes, ...council(A, B, D));
    const cutB = b.bytes.length;
    const cutC = c.bytes.length;
    const votes = [vote(B, C, cutB, 1, A), vote(C, D, cutC, 1, A)];
    const view = viewOf({
      [A]: logOf(believes, grant('10.32.128.0/17', B, 1), ...votes),
      [B]: appendToLog(b, [vote(C, D, cutC, 1, A)])!,
      [C]: appendToLog(c, [vote(B, C, cutB, 1, A)])!,
      [D]: logOf(believes, ...votes),
    });
    assert.deepEqual(
      [...view.removals].map(([peer, { heir }]) => [peer, heir]),
      [
        [B, C],
        [C, D],
      ],
    );
    assert.equal(ownerOf(view, '10.32.128.1'), D);
    const circle = [vote(B, C, cutB, 1, A), vote(C, B, cutC, 1, A)];
    const round = viewOf({
      [A]: logOf(believes, grant('10.32.128.0/17', B, 1), ...circle),
      [B]: appendToLog(b, [circle[1]!])!,
      [C]: appendToLog(c, [circle[0]!])!,
      [D]: logOf(believes, ...circle, grant('10.32.0.0/16', D, 4_000_000_000)),
    });
    assert.equal(ownerOf(round, '10.32.128.1'), B, 'nobody gets it, and evaluation ends');
  });

  it("waits with a removal until the subject's log is known up to the cut", () => {
    const subject = logOf(believes, ...[B, C, D].map((peer): NewEntry => ({ kind: 'join', peer })));
    const votes = vote(A, B, subject.bytes.length);
    const others = { [B]: logOf(believes, votes), [C]: logOf(believes, votes), [D]: logOf(believes, votes) };
    assert.equal(viewOf({ ...others, [A]: logOf(believes) }).removals.size, 0);
    assert.equal(viewOf({ ...others, [A]: subject }).removals.size, 1);
  });

  it('keeps only the common part of two histories of one peer, and calls it forked', () => {
    const common = logOf(believes, grant('10.32.128.0/17', B, 1));
    const left = appendToLog(common, [grant('10.32.64.0/18', B, 1)])!;
    const right = appendToLog(common, [grant('10.32.64.0/18', C, 1)])!;
    const { log, change } = joinLogs(left, right);
    assert.equal(change, 'forked');
    const view = viewOf({ [A]: log });
    assert.ok(view.forked.has(A));
    assert.equal(ownerOf(view, '10.32.128.1'), B);
    assert.equal(ownerOf(view, '10.32.64.1'), A);
    assert.equal(joinLogs(log, left).log, log);
  });

  it('does not let a removed peer undo its removal by contradicting itself', () => {
    const subject = logOf(believes, ...[B, C, D].map((peer): NewEntry => ({ kind: 'join', peer })));
    const votes = vote(A, B, subject.bytes.length);
    const others = { [B]: logOf(believes, votes), [C]: logOf(believes, votes), [D]: logOf(believes, votes) };
    const denial = joinLogs(subject, logOf(believes, grant('10.32.0.0/17', A, 1))).log;
    assert.ok(denial.forked && denial.bytes.length < subject.bytes.length);
    assert.equal(viewOf({ ...others, [A]: denial }).removals.get(A)?.heir, B);
    assert.equal(viewOf({ [B]: others[B]!, [A]: denial }).removals.size, 0, 'one voter alone takes nothing');
  });

  it('keeps the longer history when a peer shows a shorter one', () => {
    const short = logOf(believes);
    const long = appendToLog(short, [grant('10.32.128.0/17', B, 1)])!;
    assert.deepEqual(joinLogs(long, short), { log: long, change: 'rolled-back' });
    assert.deepEqual(joinLogs(short, long), { log: long, change: 'extended' });
    assert.deepEqual(joinLogs(long, long), { log: long, change: 'same' });
  });

  it('names the genesis owners as the first council, and follows the changes up to a cut', () => {
    const three = genesisOf([A, B, C]);
    const start = logOf({ kind: 'genesis', genesis: three });
    const next = appendToLog(start, [
      { kind: 'leave', peer: B },
      { kind: 'join', peer: D },
    ])!;
    assert.deepEqual([...councilOf(A, next)].sort(), [A, C, D]);
    assert.deepEqual([...councilOf(A, next, start.bytes.length)].sort(), [A, B, C]);
    assert.deepEqual(
      [...councilOf(D, next)].sort(),
      [C, D].sort().filter((peer) => peer !== C),
      'no owner: itself alone',
    );
  });

  it('refuses payloads that are malformed, and changes nothing', () => {
    const ring = new Ring();
    const good = logOf(believes).bytes;
    assert.ok(ring.merge(A, good).ok);
    const { revision } = ring;
    const grantAt = good.length;
    const bad: [string, Uint8Array][] = [
      ['too-large', new Uint8Array(RING_LOG_LIMIT + 1).fill(1)],
      ['bad-version', Uint8Array.of(2)],
      ['bad-version', new Uint8Array(0)],
      ['malformed', Uint8Array.of(...good, 9)],
      ['malformed', Uint8Array.of(...good, 3, 4, 33, 10, 32, 0, 0, 0, 0, 1, 0, 0, 0)],
      ['malformed', Uint8Array.of(...good, 4, 0, 0)],
      [
        'malformed',
        appendToLog(logOf(believes), [grant('10.32.0.0/17', B, 1)])!.bytes.slice(0, grantAt + 40),
      ],
    ];
    for (const [reason, bytes] of bad) assert.deepEqual(ring.merge(A, bytes), { ok: false, reason });
    assert.equal(ring.revision, revision);
  });

  it('reads back what it writes, one entry at a time or all at once', () => {
    const entries = [
      believes,
      grant('10.32.128.0/17', B, 1),
      { kind: 'join', peer: C } as const,
      vote(B, C, 77),
    ];
    const whole = logOf(...entries);
    let grown = emptyLog();
    for (const entry of entries) grown = appendToLog(grown, [entry])!;
    assert.deepEqual(grown.bytes, whole.bytes);
    const decoded = decodeRingLog(whole.bytes);
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.value, whole);
    assert.deepEqual(whole.grants[0]?.range, cidr('10.32.128.0/17'));
    assert.deepEqual(whole.accepts[0]?.heir, C);
  });

  it('refuses to let a log grow beyond its limit', () => {
    let log = logOf(believes);
    let entries = 0;
    for (;;) {
      const next = appendToLog(
        log,
        Array.from({ length: 100 }, () => grant('10.32.0.0/24', B, 1)),
      );
      if (next === undefined) break;
      log = next;
      entries += 100;
    }
    assert.ok(entries > 4000 && log.bytes.length <= RING_LOG_LIMIT);
  });
});

// ---- properties: peers that write anything at all ------------------------------------------------------------------

const PEERS = [A, B, C, D, peerId(5)];
const anyPeer = fc.constantFrom(...PEERS);
const shared = genesisOf([A, B, C], [cidr('10.0.0.0/26')]);
const anyBlock: fc.Arbitrary<Range> = fc
  .tuple(fc.integer({ min: 26, max: 32 }), fc.nat(63))
  .map(([prefix, at]) => {
    const size = 1n << BigInt(32 - prefix);
    const start = cidr('10.0.0.0/26').start + (BigInt(at) / size) * size;
    return { family: 4, start, end: start + size };
  });
const anyEntry: fc.Arbitrary<NewEntry> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('grant' as const),
      range: anyBlock,
      to: anyPeer,
      version: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('join' as const, 'leave' as const), peer: anyPeer }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('accept' as const),
      subject: anyPeer,
      ballot: fc.record({ round: fc.integer({ min: 1, max: 2 }), proposer: fc.constantFrom(A, B) }),
      heir: anyPeer,
      cut: fc.constantFrom(1, 400, 300),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.constant({
      kind: 'genesis' as const,
      genesis: genesisOf([D], [cidr('10.0.0.0/26')], '33'),
    }),
  },
);
/** Payloads of one origin: prefixes of one history, and now and then of a second, contradicting one. */
const anyPayloads = fc
  .tuple(fc.array(anyEntry, { maxLength: 8 }), fc.array(anyEntry, { maxLength: 4 }), fc.nat(8))
  .map(([entries, others, split]) => {
    const start = logOf({ kind: 'genesis', genesis: shared });
    const history = entries.map((_, i) => appendToLog(start, entries.slice(0, i + 1))!);
    const stem = split === 0 ? start : (history[split - 1] ?? history.at(-1) ?? start);
    return [start, ...history, ...(split < 4 ? [appendToLog(stem, others)!] : [])];
  });
const anyPosts = fc
  .tuple(...PEERS.map((peer) => anyPayloads.map((logs) => logs.map((log) => ({ peer, bytes: log.bytes })))))
  .map((all) => all.flat());

function ringOf(posts: readonly { peer: PeerId; bytes: Uint8Array }[]): Ring {
  const ring = new Ring();
  for (const { peer, bytes } of posts) assert.ok(ring.merge(peer, bytes).ok);
  return ring;
}

function stateOf(ring: Ring): unknown {
  const { forked, members, removals, rivals: otherRings, segmentsByFamily } = ring.view;
  return [
    ring.owners(),
    [...forked],
    [...members],
    [...removals],
    [...otherRings],
    segmentsByFamily[4].segments,
  ];
}

describe('the ring, whatever peers write', () => {
  it('does not depend on the order, the repetition or the grouping of what arrives', () => {
    fc.assert(
      fc.property(anyPosts, fc.infiniteStream(fc.nat()), (posts, dice) => {
        const shuffled = [...posts, ...posts.slice(0, 5)]
          .map((post) => ({ post, at: dice.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ post }) => post);
        assert.deepEqual(stateOf(ringOf(shuffled)), stateOf(ringOf(posts)));
      }),
      { numRuns: 300 },
    );
  });

  it('joins histories idempotently, commutatively and associatively', () => {
    fc.assert(
      fc.property(anyPayloads, fc.nat(), fc.nat(), fc.nat(), (logs, i, j, k) => {
        const [a, b, c] = [logs[i % logs.length]!, logs[j % logs.length]!, logs[k % logs.length]!];
        const join = (x: RingLog, y: RingLog): RingLog => joinLogs(x, y).log;
        const show = ({ bytes, forked }: RingLog): unknown => ({ bytes, forked });
        assert.deepEqual(show(join(a, a)), show(a));
        assert.deepEqual(show(join(a, b)), show(join(b, a)));
        assert.deepEqual(show(join(join(a, b), c)), show(join(a, join(b, c))));
        assert.deepEqual(show(join(join(a, b), join(b, c))), show(join(join(c, a), b)));
      }),
      { numRuns: 1000 },
    );
  });

  it('gives every address of the universe exactly one owner', () => {
    fc.assert(
      fc.property(anyPosts, (posts) => {
        const ring = ringOf(posts);
        const owners = ring.owners();
        let at = ring.view.genesis!.universes[0]!.start;
        for (const { range } of owners) {
          assert.equal(range.start, at);
          assert.ok(range.end > range.start);
          at = range.end;
        }
        assert.equal(at, ring.view.genesis!.universes[0]!.end);
      }),
      { numRuns: 300 },
    );
  });

  it('takes nothing from a peer that neither grants nor is removed, whatever all others write', () => {
    fc.assert(
      fc.property(anyPosts, (posts) => {
        const quiet = logOf({ kind: 'genesis', genesis: shared }, { kind: 'join', peer: peerId(9) }).bytes;
        // Enough witnesses of the true ring that the others cannot outnumber it with another genesis.
        const witnesses = Array.from({ length: 6 }, (_, i) => ({
          peer: peerId(50 + i),
          bytes: logOf({ kind: 'genesis', genesis: shared }).bytes,
        }));
        const ring = ringOf([
          ...posts.filter(({ peer }) => peer !== C),
          { peer: C, bytes: quiet },
          ...witnesses,
        ]);
        const removed = ring.removal(C) !== undefined;
        for (const { range, owner } of shared.shares) {
          if (owner !== C || removed) continue;
          for (let value = range.start; value < range.end; value++)
            assert.equal(ring.ownerOf({ family: 4, value }), C);
        }
        if (removed) {
          const voters = [A, B, D, peerId(5)].filter((peer) =>
            ring.log(peer)?.accepts.some(({ subject }) => subject === C),
          );
          assert.ok(
            2 * voters.filter((peer) => ring.council(C)!.has(peer)).length > ring.council(C)!.size - 1,
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  it('equals the naive evaluation of each address alone', () => {
    fc.assert(
      fc.property(anyPosts, (posts) => {
        const ring = ringOf(posts);
        const { genesis, removals, members } = ring.view;
        if (removals.size > 0) return; // covered above; the walk below knows grants alone
        for (let value = genesis!.universes[0]!.start; value < genesis!.universes[0]!.end; value++) {
          let owner = genesis!.shares.find(({ range }) => range.start <= value && value < range.end)!.owner;
          for (let version = 1; version <= 6; version++) {
            const log = members.has(owner) ? ring.log(owner)! : undefined;
            const covering =
              log?.grants.filter(
                (g) => g.version === version && g.range.start <= value && value < g.range.end,
              ) ?? [];
            // Whole blocks only: a block counts where all of its addresses are the grantor's at the version before.
            const step = covering.find((g) => wholeBlockIs(ring, owner, g.range, version, g.end));
            if (step === undefined) break;
            owner = step.to;
          }
          assert.equal(ring.ownerOf({ family: 4, value }), owner, `${value}`);
        }
      }),
      { numRuns: 150 },
    );
  });
});

/** Every address of `block` belongs to `owner` at `version` − 1, and no earlier grant of it at `version` took one. */
function wholeBlockIs(ring: Ring, owner: PeerId, block: Range, version: number, end: number): boolean {
  for (let value = block.start; value < block.end; value++) {
    const held = walk(ring, value, version - 1);
    if (held.owner !== owner || held.version !== version - 1) return false;
    const earlier = ring
      .log(owner)!
      .grants.find(
        (g) =>
          g.end < end &&
          g.version === version &&
          g.range.start <= value &&
          value < g.range.end &&
          wholeBlockIs(ring, owner, g.range, version, g.end),
      );
    if (earlier) return false;
  }
  return true;
}

function walk(ring: Ring, value: bigint, upTo: number): { owner: PeerId; version: number } {
  const { genesis, members } = ring.view;
  let owner = genesis!.shares.find(({ range }) => range.start <= value && value < range.end)!.owner;
  for (let version = 1; version <= upTo; version++) {
    const log = members.has(owner) ? ring.log(owner)! : undefined;
    const step = log?.grants.find(
      (g) =>
        g.version === version &&
        g.range.start <= value &&
        value < g.range.end &&
        wholeBlockIs(ring, owner, g.range, version, g.end),
    );
    if (step === undefined) return { owner, version: version - 1 };
    owner = step.to;
  }
  return { owner, version: upTo };
}

describe('a full ring log', () => {
  it('fits the record that gossip carries it in', () => {
    assert.equal(RING_LOG_LIMIT, MAX_PAYLOAD_LENGTH.ring);
  });
});
