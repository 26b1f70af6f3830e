import { concat, equalBytes } from '../../base/bytes.ts';
import { after, type Instant } from '../../base/instant.ts';
import { CookieJar, MACS_LENGTH } from '../../crypto/cookie.ts';
import { chooseSuite } from '../../crypto/suite.ts';
import { eraseDataKeys } from '../../crypto/transport-keys.ts';
import type { Origin, Path } from '../datapath/datapath.ts';
import type { ReceivedInitiation } from '../handshake/handshake.ts';
import { HandshakeGuard } from '../handshake/handshake-guard.ts';
import type { PeerKey } from '../handshake/peer-key.ts';
import { pathKey } from './paths.ts';
import type { Sessions } from './sessions.ts';
import type { TunnelContext } from './tunnel-context.ts';

/**
 * The answers to handshakes that one peer begins. The same initiation always gets the same answer while that waits
 * for its confirmation. So the peer may send it along several paths, again and again, doubled and reordered on the
 * way, and still makes one session.
 */
export class HandshakeResponder {
  readonly #context: TunnelContext;
  readonly #sessions: Sessions;
  readonly #guard: HandshakeGuard;
  #key: PeerKey;
  /** The last answer given, to be repeated when the same initiation comes again. */
  #answer: Answer | undefined;
  /** Only what was accepted counts: no recording may use up the peer's share. */
  #acceptedAt: Instant | undefined;

  constructor(options: {
    readonly key: PeerKey;
    readonly context: TunnelContext;
    readonly sessions: Sessions;
  }) {
    this.#key = options.key;
    this.#context = options.context;
    this.#sessions = options.sessions;
    this.#guard = new HandshakeGuard({ random: options.context.random });
  }

  /** The peer has another static key: the answer that waits is void. */
  setKey(key: PeerKey): void {
    this.#key = key;
    this.#answer = undefined;
  }

  /** The session of the last answer was confirmed: that answer is not repeated any more. */
  confirmed(): void {
    this.#answer = undefined;
  }

  /** Whether the answer that waits for its confirmation went to `path` alone, so that a confirmation proves it. */
  answeredOnly(path: Path): boolean {
    return this.#answer?.sentTo.size === 1 && this.#answer.sentTo.has(pathKey(path));
  }

  /** Repeats the last answer where `received` is the initiation that it answered; whether that was so. */
  repeat(received: ReceivedInitiation, from: Origin, now: Instant): boolean {
    const answer = this.#answer;
    const waits = answer !== undefined && this.#sessions.next?.localIndex === answer.localIndex;
    if (!waits || !equalBytes(answer.ephemeral, received.ephemeral)) return false;
    received.erase();
    this.#context.counters.add('handshake.repeated');
    if (answer.sentTo.size < 2) answer.sentTo.add(pathKey(from)); // more than one are as good as many
    this.#send(answer.body, from, now);
    return true;
  }

  /** Answers a new initiation, or drops it. True where it was accepted: its session waits for the confirmation. */
  answer(received: ReceivedInitiation, from: Origin, now: Instant): boolean {
    const { counters } = this.#context;
    const { payload } = received;
    const echoes = this.#guard.echoes(payload.token, now);
    if (!echoes && this.#acceptedAt !== undefined && now < after(this.#acceptedAt, ACCEPT_INTERVAL_MS)) {
      received.erase();
      counters.add('handshake.tooSoon');
      return false;
    }
    const verdict = this.#guard.judge(payload.epoch, payload.sequence, payload.token, now);
    if (verdict === 'accept') return this.#accept(received, from, now);
    if (verdict === 'replay') {
      received.erase();
      counters.add('handshake.replayed');
    } else {
      counters.add('handshake.regressed');
      this.#refuse(received, from, now);
    }
    return false;
  }

  #refuse(received: ReceivedInitiation, from: Origin, now: Instant): void {
    const { self, offer } = this.#context;
    const token = this.#guard.token(now);
    const response = received.respond({ outcome: 'regressed', epoch: self.epoch, mtu: offer.mtu, token });
    if (response.ok) this.#send(response.value.body, from, now);
  }

  #accept(received: ReceivedInitiation, from: Origin, now: Instant): boolean {
    const { counters, self, offer, indices } = this.#context;
    const { payload, remoteIndex } = received;
    const suite = chooseSuite(offer.suites, payload.suites, offer.suiteFloor);
    if (suite === undefined) {
      received.erase();
      counters.add('handshake.noCommonSuite');
      return false;
    }
    const { peer } = this.#key;
    const localIndex = indices.allocate(peer);
    const response = received.respond({
      outcome: 'accepted',
      epoch: self.epoch,
      mtu: offer.mtu,
      suite,
      index: localIndex,
      takesMarks: offer.takesMarks,
    });
    if (!response.ok) {
      indices.release(localIndex);
      counters.add('handshake.badPeerKey');
      return false;
    }
    const keys = response.value.keys!;
    this.#sessions.installResponded(
      { peer, localIndex, remoteIndex, suite, peerTakesMarks: payload.takesMarks, ...keys },
      { peerEpoch: payload.epoch, peerMtu: payload.mtu },
      now,
    );
    eraseDataKeys(keys);
    const { body } = response.value;
    this.#answer = { ephemeral: received.ephemeral, body, localIndex, sentTo: new Set([pathKey(from)]) };
    this.#acceptedAt = now;
    counters.add('handshake.answered');
    this.#send(body, from, now);
    return true;
  }

  /** A response needs no cookie: it is only read where an initiation waits for it. */
  #send(body: Uint8Array, path: Path, now: Instant): void {
    const packet = concat(body, NO_MACS);
    new CookieJar(this.#key.macKeys).stamp(packet, now);
    this.#context.handshakes.send(packet, this.#key.peer, path, now);
  }
}

interface Answer {
  readonly ephemeral: Uint8Array;
  readonly body: Uint8Array;
  readonly localIndex: number;
  /** Keys of the paths it went to, at most two. */
  readonly sentTo: Set<string>;
}

const NO_MACS = new Uint8Array(MACS_LENGTH);
/** Least time between two initiations of one peer that make sessions. */
export const ACCEPT_INTERVAL_MS = 50;
