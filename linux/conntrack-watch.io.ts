import { NETLINK_BATCH_DATAGRAMS, NETLINK_NETFILTER, NetlinkEvents } from '../native/netlink-events.ts';
import {
  type ConntrackMessage,
  ConntrackReader,
  type DumpEnd,
  dumpConntrack,
  NFNLGRP_CONNTRACK_DESTROY,
  NFNLGRP_CONNTRACK_NEW,
} from './conntrack.ts';

/**
 * Bytes of events that may wait in the kernel: some 10,000 messages. What comes while the event loop is busy for longer is
 * lost, and told.
 */
const BUFFER_BYTES = 4 * 1024 * 1024;

/**
 * Once nothing more waits, nothing is read for so long. Where thousands of events come in a second, one at a time, waking for each costs
 * ten times as much as reading it; in this time some hundreds gather, of the 10,000 for which there is room.
 */
const REST_MS = 10;

/** Who is told. All calls come on the event loop. */
interface ConntrackListener {
  /** A connection that began, ended, or was found by a dump. `message` is reused after the call. */
  onConnection(message: ConntrackMessage): void;
  /** A batch of calls of {@link onConnection} is over. */
  onBatch(): void;
  /** The dump that was asked for is complete; false where the kernel refused it. */
  onDumped(isComplete: boolean): void;
  /** The kernel had more events than there was room for. All that was kept has been told; a dump finds the rest. */
  onLost(): void;
  /** No more comes. */
  onError(error: Error): void;
}

/**
 * Listens to the connection tracking of the network namespace in which this process is. The kernel makes these events only
 * while somebody listens (`nf_conntrack_events=2`), and of connections that begin meanwhile: of those that were there before
 * a dump tells, and no event tells of their end.
 */
export class ConntrackWatch {
  readonly #events: NetlinkEvents;
  readonly #reader = new ConntrackReader();
  readonly #listener: ConntrackListener;
  #sequence = 0;
  #isDumping = false;
  #rest: NodeJS.Timeout | undefined;

  /** Throws as {@link NetlinkEvents.open} does: EPERM without CAP_NET_ADMIN, EPROTONOSUPPORT or EINVAL without conntrack. */
  constructor(
    listener: ConntrackListener,
    { receiveBufferBytes = BUFFER_BYTES }: { readonly receiveBufferBytes?: number } = {},
  ) {
    this.#listener = listener;
    this.#events = NetlinkEvents.open(
      NETLINK_NETFILTER,
      [NFNLGRP_CONNTRACK_NEW, NFNLGRP_CONNTRACK_DESTROY],
      {
        onDatagrams: (datagrams) => this.#take(datagrams),
        onLost: () => listener.onLost(),
        onError: (error) => listener.onError(error),
      },
      { receiveBufferBytes },
    );
  }

  /** Asks for all connections that there are. False, and nothing happens, while an earlier dump is under way. */
  dump(): boolean {
    if (this.#isDumping) return false;
    this.#listen();
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#isDumping = true;
    if (this.#events.send(dumpConntrack(this.#sequence)) >= 0) return true;
    this.#isDumping = false;
    return false;
  }

  /** No call comes after this. Harmless when repeated. */
  close(): void {
    clearTimeout(this.#rest);
    this.#events.close();
  }

  #listen(): void {
    clearTimeout(this.#rest);
    this.#events.goOn();
  }

  #take(datagrams: readonly Uint8Array[]): void {
    const visit = (message: ConntrackMessage): void => this.#listener.onConnection(message);
    const ends: DumpEnd[] = [];
    for (const datagram of datagrams) ends.push(...this.#reader.read(datagram, visit));
    // What a dump says is made while it is read; of a full batch there is more.
    if (!this.#isDumping && datagrams.length < NETLINK_BATCH_DATAGRAMS) {
      this.#events.rest();
      this.#rest = setTimeout(() => this.#listen(), REST_MS);
    }
    this.#listener.onBatch();
    for (const { sequence, errno } of ends) {
      if (!this.#isDumping || sequence !== this.#sequence) continue;
      this.#isDumping = false;
      this.#listener.onDumped(errno === 0);
    }
  }
}
