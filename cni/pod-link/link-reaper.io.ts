import { setTimeout as delay } from 'node:timers/promises';
import { isNetlinkError, type NetlinkError } from '../../linux/netlink-request.ts';
import { deleteLink } from '../../linux/rtnetlink/link.ts';
import { RouteClient } from '../../linux/rtnetlink/route-client.io.ts';
import { deleteLinkGroup } from './link-group.ts';

/** Deletions at once. Each holds one of libuv's four threads until the kernel acknowledges it. */
const LANES = 2;

/** Links in one deletion. */
const MAX_TOGETHER = 128;

/** Links that may wait; far more than calls may be under way. */
const MAX_WAITING = 16_384;

/** Longest pause between two looks whether a link is gone. */
const MAX_PAUSE_MS = 8;

/** Link groups of our own, one a lane: "weft" and the lane's number. */
const FIRST_GROUP = 0x77656674;

interface Waiting {
  readonly index: number;
  readonly done: PromiseWithResolvers<void>;
}

/**
 * Deletes links, and says so as soon as each is gone.
 *
 * The kernel acknowledges a deletion only when it has freed the last memory of the link. That is 15 to 30 ms after the
 * link, its addresses, its routes and its name are gone, which takes a millisecond. So deletions run on sockets of
 * their own while another socket looks whether the link is still there. Links that come meanwhile are deleted together.
 */
export class LinkReaper {
  readonly #lanes: readonly RouteClient[] = Array.from({ length: LANES }, () => RouteClient.open());
  readonly #busy: boolean[] = this.#lanes.map(() => false);
  readonly #watcher: RouteClient;
  readonly #waiting: Waiting[] = [];

  /** `watcher` stays the caller's to close. */
  constructor(watcher: RouteClient) {
    this.#watcher = watcher;
  }

  /** Resolves when there is no link of that index any more. Rejects as {@link RouteClient} does. */
  async remove(index: number): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING) throw new Error('too many links to delete at once');
    const waiting = { index, done: Promise.withResolvers<void>() };
    this.#waiting.push(waiting);
    this.#start();
    await waiting.done.promise;
  }

  close(): void {
    for (const lane of this.#lanes) lane.close();
  }

  #start(): void {
    for (const lane of this.#lanes.keys()) {
      if (this.#busy[lane] || this.#waiting.length === 0) continue;
      this.#busy[lane] = true;
      void this.#reap(lane, this.#waiting.splice(0, MAX_TOGETHER)).then(() => {
        this.#busy[lane] = false;
        this.#start();
      });
    }
  }

  /** Deletes `batch`, settles the promise of each, and resolves when the kernel has acknowledged it. Never rejects. */
  async #reap(lane: number, batch: readonly Waiting[]): Promise<void> {
    const acknowledged = this.#delete(lane, batch).then(
      () => {
        for (const { done } of batch) done.resolve();
      },
      (error: unknown) => {
        for (const { done } of batch) done.reject(error);
      },
    );
    // A link that is seen to be gone resolves its promise here; the acknowledgement then changes nothing.
    void this.#watch(batch, acknowledged).catch(() => undefined);
    await acknowledged;
  }

  async #delete(lane: number, batch: readonly Waiting[]): Promise<void> {
    const client = this.#lanes[lane]!;
    const indexes = [...new Set(batch.map(({ index }) => index))];
    const errors = await client.attempt(...deleteLinkGroup(indexes, FIRST_GROUP + lane));
    if (!errors.some(isRefusal)) return;
    // A link that cannot be deleted must not keep the others, so each is deleted by itself.
    const last = await client.attempt(...indexes.map((index) => deleteLink(index)));
    const refusal = last.find(isRefusal);
    if (refusal) throw refusal;
  }

  async #watch(batch: readonly Waiting[], acknowledged: Promise<void>): Promise<void> {
    let over = false;
    void acknowledged.then(() => {
      over = true;
    });
    let pause = 0;
    for (const { index, done } of batch) {
      while (!over && (await this.#watcher.link(index))) {
        await delay(pause);
        pause = Math.min(2 * pause + 1, MAX_PAUSE_MS);
      }
      if (over) return;
      done.resolve();
    }
  }
}

/** Whether the kernel refused. A link that is gone already is no refusal: its namespace may be dying at this moment. */
function isRefusal(error: NetlinkError | undefined): boolean {
  return error !== undefined && !isNetlinkError(error, 'ENODEV');
}
