import { compareBytes } from '../../base/bytes.ts';
import { after, type Instant } from '../../base/instant.ts';
import type { Origin, Path } from '../datapath/datapath.ts';
import type { ReceivedInitiation } from '../handshake/handshake.ts';
import type { PeerKey } from '../handshake/peer-key.ts';
import { HandshakeInitiator } from './handshake-initiator.ts';
import { HandshakeResponder } from './handshake-responder.ts';
import type { Paths } from './paths.ts';
import type { Sessions } from './sessions.ts';
import type { TunnelContext } from './tunnel-context.ts';

/**
 * The handshakes with one peer, both ways: those that we begin (handshake-initiator.ts) and those that the peer begins
 * (handshake-responder.ts). Sessions that come of them go into `sessions`; what they mean for paths and timers is the
 * tunnel's affair.
 *
 * When both ends begin at once, the end with the lower static key does not answer the other's initiation in the first
 * second of its own attempt, but sends its own one back to where the other came from: there it gets through even where
 * the peer can be reached in no other way (it is behind a NAT, which has just let its initiation out). The end that
 * answers lets its own attempt rest for a second.
 */
export class Exchange {
  readonly #context: TunnelContext;
  readonly #initiator: HandshakeInitiator;
  readonly #responder: HandshakeResponder;
  #key: PeerKey;

  constructor(options: {
    readonly key: PeerKey;
    readonly context: TunnelContext;
    readonly paths: Paths;
    readonly sessions: Sessions;
  }) {
    const { key, context, paths, sessions } = options;
    this.#key = key;
    this.#context = context;
    this.#initiator = new HandshakeInitiator({ key, context, paths, sessions });
    this.#responder = new HandshakeResponder({ key, context, sessions });
  }

  /** The peer has another static key: everything that hung on the old one is void. */
  setKey(key: PeerKey): void {
    this.#key = key;
    this.#initiator.setKey(key);
    this.#responder.setKey(key);
  }

  /** Whether we have begun a handshake that is not over. */
  get isUnderWay(): boolean {
    return this.#initiator.isUnderWay;
  }

  /** See {@link HandshakeInitiator.begin}. */
  begin(rekey: boolean, now: Instant): void {
    this.#initiator.begin(rekey, now);
  }

  /** There are new ways to try. */
  hurry(now: Instant): void {
    this.#initiator.hurry(now);
  }

  /** The peer has confirmed the session we answered with: our own attempt has no aim any more. */
  confirmed(): void {
    this.#initiator.abandon();
    this.#responder.confirmed();
  }

  /** See {@link HandshakeResponder.answeredOnly}. */
  answeredOnly(path: Path): boolean {
    return this.#responder.answeredOnly(path);
  }

  /** An initiation in the peer's name was read, and its key is the peer's. */
  initiationReceived(received: ReceivedInitiation, from: Origin, now: Instant): void {
    if (this.#responder.repeat(received, from, now)) return;
    if (this.#winsAgainst(now)) {
      received.erase();
      this.#context.counters.add('handshake.simultaneous');
      this.#initiator.callBack(from, now);
      return;
    }
    if (this.#responder.answer(received, from, now)) this.#initiator.postpone(SIMULTANEOUS_MS, now);
  }

  /** See {@link HandshakeInitiator.responseReceived}. */
  responseReceived(
    packet: Uint8Array,
    localIndex: number,
    from: Origin,
    now: Instant,
  ): { readonly proven: boolean } | undefined {
    return this.#initiator.responseReceived(packet, localIndex, from, now);
  }

  /** See {@link HandshakeInitiator.cookieReceived}. */
  cookieReceived(reply: Uint8Array, localIndex: number, from: Origin, now: Instant): void {
    this.#initiator.cookieReceived(reply, localIndex, from, now);
  }

  /** Sends what is due. 'gaveUp' once, when the attempt is over. */
  tick(now: Instant): 'gaveUp' | undefined {
    return this.#initiator.tick(now);
  }

  nextTimeout(): Instant | undefined {
    return this.#initiator.nextTimeout();
  }

  /** Whether we drop the peer's initiation because our own, under way at the same time, has precedence. */
  #winsAgainst(now: Instant): boolean {
    const { initiatedAt } = this.#initiator;
    if (initiatedAt === undefined || now > after(initiatedAt, SIMULTANEOUS_MS)) return false;
    return compareBytes(this.#context.self.noiseKey, this.#key.noiseKey) < 0;
  }
}

/** How long our own initiation outranks the peer's, when our static key is the lower; also how long it then waits. */
const SIMULTANEOUS_MS = 1000;
