import type { Counters } from '../../base/counters.ts';
import type { Endpoint } from '../../base/endpoint.ts';
import { earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { RandomSource } from '../../base/random.ts';
import type { ClusterKeys } from '../../crypto/cluster-secret.ts';
import type { Identity } from '../../crypto/identity.ts';
import { sourceOf } from '../../crypto/source-limit.ts';
import type { LinkId } from '../../gossip/model/gossip-output.ts';
import { ControlLink, type LinkFault } from './control-link.ts';
import type { LinkCounter } from './link-counters.ts';

/**
 * Connections that somebody made to us and whose handshake is under way: in all, and from one host or IPv6 /64. One
 * more pushes out the oldest that has not shown the cluster's secret yet, so that whoever is in earnest gets through:
 * behind a host's address are its pods as well, and their silence must not lock out the host.
 */
export const MAX_UNPROVEN = 64;
export const MAX_UNPROVEN_FROM_ONE = 8;

/** What the shell is to do with TCP connections. */
export type LinkOutput =
  | { readonly type: 'dial'; readonly link: LinkId; readonly endpoint: Endpoint }
  | { readonly type: 'write'; readonly link: LinkId; readonly bytes: Uint8Array }
  /** Send what was written, then close. The shell tells no more of this link. */
  | { readonly type: 'close'; readonly link: LinkId };

/** What whoever uses the links is told. */
export interface LinkEvents {
  opened(link: LinkId, peer: PeerId, initiatedByUs: boolean, remote: Endpoint, now: Instant): void;
  frame(link: LinkId, bytes: Uint8Array, now: Instant): void;
  /** An opened link is gone, but for those closed by {@link ControlLinks.close}. */
  closed(link: LinkId, now: Instant): void;
  /** A dial led nowhere: no connection, or nobody of this cluster behind it. */
  dialFailed(endpoint: Endpoint, now: Instant): void;
}

const COUNTER_BY_FAULT: Readonly<Record<LinkFault, LinkCounter>> = {
  'too-long': 'link.tooLong',
  'too-short': 'link.tooShort',
  'bad-tag': 'link.badTag',
  'zero-point': 'link.zeroPoint',
  'frame-too-long': 'link.frameTooLong',
  'bad-credential': 'link.badCredential',
  self: 'link.self',
  timeout: 'link.timeout',
  'unexpected-peer': 'link.unexpectedPeer',
  closed: 'link.closed',
};

interface Entry {
  readonly link: ControlLink;
  readonly initiator: boolean;
  readonly remote: Endpoint;
  /** Whom it counts against, see {@link sourceOf}. */
  readonly source: string;
  /** A first message that takes the cluster's secret came. */
  greeted: boolean;
  opened: boolean;
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
 *  control-links.ts      all links of the node: who may connect, whose time is over
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
  readonly #outputs: LinkOutput[] = [];
  #lastId = 0;

  constructor(options: {
    readonly identity: Identity;
    readonly clusterKeys: ClusterKeys;
    readonly bootEpoch: number;
    readonly random: RandomSource;
    readonly counters: Counters<LinkCounter>;
    readonly events: LinkEvents;
  }) {
    const { identity, clusterKeys, bootEpoch, random } = options;
    this.#options = { identity, clusterKeys, bootEpoch, random };
    this.#counters = options.counters;
    this.#events = options.events;
  }

  /** Connects to `endpoint`; ends in `opened` or `dialFailed`. */
  dial(endpoint: Endpoint, now: Instant): void {
    const link = this.#add(endpoint, true, now);
    this.#outputs.push({ type: 'dial', link, endpoint });
  }

  /** Somebody connected: the id of the link. Where too many strangers are at the door, one of them is closed. */
  accept(remote: Endpoint, now: Instant): LinkId {
    const source = sourceOf(remote);
    // In the order in which they came.
    const strangers = [...this.#unproven].filter((id) => !this.#entryByLink.get(id)!.initiator);
    const same = strangers.filter((id) => this.#entryByLink.get(id)!.source === source);
    const crowd = same.length >= MAX_UNPROVEN_FROM_ONE ? same : strangers;
    if (crowd === same || crowd.length >= MAX_UNPROVEN) {
      this.#counters.add('link.pushedOut');
      this.close(crowd.find((id) => !this.#entryByLink.get(id)!.greeted) ?? crowd[0]!);
    }
    return this.#add(remote, false, now);
  }

  /** A dialled connection stands. */
  connected(link: LinkId): void {
    const entry = this.#entryByLink.get(link);
    if (entry !== undefined) this.#write(link, entry.link.start());
  }

  /** Bytes of a connection, cut anywhere. */
  receive(link: LinkId, bytes: Uint8Array, now: Instant): void {
    const entry = this.#entryByLink.get(link);
    if (entry === undefined) return;
    const progress = entry.link.receive(bytes, now);
    if (!progress.ok) {
      this.#counters.add(COUNTER_BY_FAULT[progress.reason]);
      this.#end(link, now);
      this.#outputs.push({ type: 'close', link });
      return;
    }
    const { send, opened, frames } = progress.value;
    entry.greeted ||= send.length > 0;
    this.#write(link, send);
    if (opened !== undefined) {
      entry.opened = true;
      this.#unproven.delete(link);
      this.#events.opened(link, opened.id, entry.initiator, entry.remote, now);
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
    this.#outputs.push({ type: 'close', link });
  }

  /** The connection is gone. */
  lost(link: LinkId, now: Instant): void {
    this.#end(link, now);
  }

  tick(now: Instant): void {
    for (const id of [...this.#unproven]) {
      if (this.#entryByLink.get(id)!.link.tick(now) === undefined) continue;
      this.#counters.add('link.timeout');
      this.#end(id, now);
      this.#outputs.push({ type: 'close', link: id });
    }
  }

  nextTimeout(): Instant | undefined {
    return earliest(...[...this.#unproven].map((id) => this.#entryByLink.get(id)!.link.nextTimeout()));
  }

  poll(): LinkOutput | undefined {
    return this.#outputs.shift();
  }

  #add(remote: Endpoint, initiator: boolean, now: Instant): LinkId {
    const id = ++this.#lastId;
    this.#entryByLink.set(id, {
      link: new ControlLink({ ...this.#options, initiator, now }),
      initiator,
      remote,
      source: sourceOf(remote),
      greeted: false,
      opened: false,
    });
    this.#unproven.add(id);
    return id;
  }

  #write(link: LinkId, bytes: Uint8Array): void {
    if (bytes.length > 0) this.#outputs.push({ type: 'write', link, bytes });
  }

  #end(link: LinkId, now: Instant): void {
    const entry = this.#forget(link);
    if (entry === undefined) return;
    entry.link.close();
    if (entry.opened) this.#events.closed(link, now);
    else if (entry.initiator) this.#events.dialFailed(entry.remote, now);
  }

  #forget(link: LinkId): Entry | undefined {
    const entry = this.#entryByLink.get(link);
    this.#entryByLink.delete(link);
    this.#unproven.delete(link);
    return entry;
  }
}
