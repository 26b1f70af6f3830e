import type { Counters } from '../../base/counters.ts';
import type { Endpoint } from '../../base/endpoint.ts';
import { earliest, type Instant, instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import type { ClusterKeys } from '../../crypto/cluster-secret.ts';
import type { Identity } from '../../crypto/identity.ts';
import { sourceOf } from '../../crypto/source-limit.ts';
import type { LinkId } from '../../gossip/model/gossip-output.ts';
import { ControlLink, type LinkFault } from './control-link.ts';
import { type DialFailure, dialFailureOf } from './dial-failure.ts';
import { LinkAdmission } from './link-admission.ts';
import type { LinkCounter } from './link-counters.ts';

/** What the shell is to do with TCP connections. */
export type LinkOutput =
  | { readonly type: 'dial'; readonly link: LinkId; readonly endpoint: Endpoint }
  | { readonly type: 'write'; readonly link: LinkId; readonly bytes: Uint8Array }
  /** Send what was written, then close. The shell tells no more of this link. */
  | { readonly type: 'close'; readonly link: LinkId }
  /** Cut the connection at once: nothing is to be said. The shell tells no more of this link. */
  | { readonly type: 'cut'; readonly link: LinkId };

/** Between which sockets a link lies. */
export interface LinkEnd {
  /** We dialled it. */
  readonly initiator: boolean;
  /** What was dialled; of an accepted connection the far end's socket. */
  readonly remote: Endpoint;
  /** Our own socket, where the shell knows it. */
  readonly local: Endpoint | undefined;
}

/** What whoever uses the links is told. */
interface LinkEvents {
  opened(link: LinkId, peer: PeerId, end: LinkEnd, now: Instant): void;
  frame(link: LinkId, bytes: Uint8Array, now: Instant): void;
  /** An opened link is gone, but for those closed by {@link ControlLinks.close}. */
  closed(link: LinkId, now: Instant): void;
  /** A dial led nowhere: no connection, or nobody of this cluster behind it. */
  dialFailed(endpoint: Endpoint, failure: DialFailure, now: Instant): void;
  /** Somebody connected to us and did not show the cluster's secret. */
  strangerRefused(remote: Endpoint): void;
}

const COUNTER_BY_FAULT: Readonly<Record<LinkFault, LinkCounter>> = {
  'too-long': 'link.tooLong',
  'too-short': 'link.tooShort',
  'bad-tag': 'link.badTag',
  'zero-point': 'link.zeroPoint',
  'frame-too-long': 'link.frameTooLong',
  replayed: 'link.replayed',
  limited: 'link.limited',
  'bad-credential': 'link.badCredential',
  self: 'link.self',
  timeout: 'link.timeout',
  'unexpected-peer': 'link.unexpectedPeer',
  closed: 'link.closed',
};

interface Entry {
  readonly id: LinkId;
  readonly link: ControlLink;
  end: LinkEnd;
  /** Whom it counts against, see {@link sourceOf}. */
  readonly source: string;
  /** Whether a known peer lives there. */
  readonly known: boolean;
  /** A first message that takes the cluster's secret came. */
  greeted: boolean;
  opened: boolean;
  /** The connection that we dialled stands. */
  stood: boolean;
}

/**
 * The control links of a node: numbers TCP connections, secures each with a {@link ControlLink}, and keeps strangers
 * few. Pure: bytes of connections in, bytes to write out through {@link poll}.
 *
 * This is the folder's main file. A control link carries gossip between two nodes over TCP. Its bytes go this way:
 *
 * ```
 *  tcp-links.io.ts       the sockets: listens, dials, reads and writes
 *        │ bytes of one connection, cut anywhere
 *  control-links.ts      all links of the node: who may connect, whose time is over (link-admission.ts)
 *        │
 *  control-link.ts       one link, from its first byte to its end
 *        ├─ link-handshake.ts   its first three messages: who is there? (Noise XXpsk0 with signed names)
 *        ╰─ secure-channel.ts   from then on: frames sealed with the keys of the handshake
 *        │   both cut the stream with frame-reader.ts
 *        ▼
 *  frames in clear, to gossip
 * ```
 */
export class ControlLinks {
  readonly #options: {
    readonly identity: Identity;
    readonly clusterKeys: ClusterKeys;
    readonly bootEpoch: number;
    readonly random: RandomSource;
  };
  readonly #counters: Counters<LinkCounter>;
  readonly #events: LinkEvents;
  readonly #entryByLink = new Map<LinkId, Entry>();
  /** Those whose handshake is under way, so that deadlines cost nothing once links stand. */
  readonly #unproven = new Set<LinkId>();
  readonly #admission: LinkAdmission;
  readonly #outputs: LinkOutput[] = [];
  /** Time of the latest input. */
  #now = instant(0);
  #lastId = 0;

  constructor(options: {
    readonly identity: Identity;
    readonly clusterKeys: ClusterKeys;
    readonly bootEpoch: number;
    readonly random: RandomSource;
    readonly counters: Counters<LinkCounter>;
    readonly events: LinkEvents;
    /** Whether a peer's record names an address of this source (crypto/source-limit.ts). Default: none does. */
    readonly isKnown?: (source: string) => boolean;
  }) {
    const { identity, clusterKeys, bootEpoch, random } = options;
    this.#options = { identity, clusterKeys, bootEpoch, random };
    this.#counters = options.counters;
    this.#events = options.events;
    this.#admission = new LinkAdmission({ isKnown: options.isKnown ?? (() => false) });
  }

  /** Connects to `endpoint`; ends in `opened` or `dialFailed`. */
  dial(endpoint: Endpoint, now: Instant): void {
    const link = this.#add({ initiator: true, remote: endpoint, local: undefined }, true, now);
    this.#outputs.push({ type: 'dial', link, endpoint });
  }

  /** Somebody connected: the id of the link. Where too many strangers are at the door, one of them is closed. */
  accept(remote: Endpoint, now: Instant, local?: Endpoint): LinkId {
    const source = sourceOf(remote);
    // In the order in which they came.
    const halfOpen = [...this.#unproven]
      .map((id) => this.#entryByLink.get(id)!)
      .filter((entry) => !entry.end.initiator);
    const out = this.#admission.pushedOutBy(source, halfOpen);
    if (out !== undefined) {
      this.#counters.add('link.pushedOut');
      this.close(out.id);
    }
    return this.#add({ initiator: false, remote, local }, this.#admission.isKnown(source), now);
  }

  /** A dialled connection stands. */
  connected(link: LinkId, local?: Endpoint): void {
    const entry = this.#entryByLink.get(link);
    if (entry === undefined) return;
    entry.end = { ...entry.end, local };
    entry.stood = true;
    this.#write(link, entry.link.start());
  }

  /** Bytes of a connection, cut anywhere. */
  receive(link: LinkId, bytes: Uint8Array, now: Instant): void {
    const entry = this.#entryByLink.get(link);
    if (entry === undefined) return;
    this.#now = now;
    const progress = entry.link.receive(bytes, now);
    if (!progress.ok) {
      this.#counters.add(COUNTER_BY_FAULT[progress.reason]);
      this.#outputs.push({ type: 'cut', link });
      if (progress.reason === 'bad-tag' && !entry.end.initiator && !entry.opened)
        this.#events.strangerRefused(entry.end.remote);
      this.#end(link, progress.reason === 'self' ? 'self' : 'unproven', now);
      return;
    }
    const { send, opened, frames } = progress.value;
    entry.greeted ||= send.length > 0;
    this.#write(link, send);
    if (opened !== undefined) {
      entry.opened = true;
      this.#unproven.delete(link);
      this.#events.opened(link, opened.id, entry.end, now);
    }
    for (const frame of frames) this.#events.frame(link, frame, now);
  }

  /** Seals and writes one frame; nothing where the link is gone. */
  send(link: LinkId, frame: Uint8Array): void {
    const bytes = this.#entryByLink.get(link)?.link.send(frame);
    if (bytes !== undefined) this.#write(link, bytes);
  }

  /** Our side ends the link. `closed` does not follow. */
  close(link: LinkId): void {
    const entry = this.#forget(link);
    if (entry === undefined) return;
    entry.link.close();
    // A stranger gets no goodbye: while a socket waits for the other side to close, the stranger holds it.
    this.#outputs.push({ type: entry.opened ? 'close' : 'cut', link });
  }

  /** The connection is gone. `errno`: what the system said, where it never stood. */
  lost(link: LinkId, now: Instant, errno?: string): void {
    const stood = this.#entryByLink.get(link)?.stood === true;
    this.#end(link, stood ? 'hung-up' : dialFailureOf(errno), now);
  }

  tick(now: Instant): void {
    for (const id of [...this.#unproven]) {
      if (this.#entryByLink.get(id)!.link.tick(now) === undefined) continue;
      this.#counters.add('link.timeout');
      this.#outputs.push({ type: 'cut', link: id });
      this.#end(id, this.#entryByLink.get(id)!.stood ? 'silent' : 'unanswered', now);
    }
  }

  nextTimeout(): Instant | undefined {
    return earliest(...[...this.#unproven].map((id) => this.#entryByLink.get(id)!.link.nextTimeout()));
  }

  poll(): LinkOutput | undefined {
    return this.#outputs.shift();
  }

  #add(end: LinkEnd, known: boolean, now: Instant): LinkId {
    const id = ++this.#lastId;
    const { initiator } = end;
    const source = sourceOf(end.remote);
    const admit = (ephemeral: Uint8Array): ReturnType<LinkAdmission['judge']> =>
      this.#admission.judge(source, ephemeral, this.#now);
    this.#entryByLink.set(id, {
      id,
      link: new ControlLink({ ...this.#options, initiator, now, ...(initiator ? {} : { admit }) }),
      end,
      source,
      known,
      greeted: false,
      opened: false,
      stood: false,
    });
    this.#unproven.add(id);
    return id;
  }

  #write(link: LinkId, bytes: Uint8Array): void {
    if (bytes.length > 0) this.#outputs.push({ type: 'write', link, bytes });
  }

  #end(link: LinkId, failure: DialFailure, now: Instant): void {
    const entry = this.#forget(link);
    if (entry === undefined) return;
    entry.link.close();
    if (entry.opened) this.#events.closed(link, now);
    else if (entry.end.initiator) this.#events.dialFailed(entry.end.remote, failure, now);
  }

  #forget(link: LinkId): Entry | undefined {
    const entry = this.#entryByLink.get(link);
    this.#entryByLink.delete(link);
    this.#unproven.delete(link);
    return entry;
  }
}
