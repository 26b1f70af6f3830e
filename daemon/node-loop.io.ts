import { after, type Instant } from '../base/instant.ts';
import { clock } from '../host/clock.io.ts';
import type { EventLoopDelay } from '../host/event-loop-delay.ts';
import type { NodeOutput } from '../node/node-types.ts';
import type { WeftNode } from '../node/weft-node.ts';
import type { DatapathEvents } from '../router/datapath/datapath.ts';

/** Longest sleep: setTimeout takes no more than 2^31 − 1 ms, and nothing of ours waits that long. */
const MAX_SLEEP_MS = 60_000;

/** What the node tells under `Type`. */
export type Output<Type extends NodeOutput['type']> = Extract<NodeOutput, { type: Type }>;

/**
 * Drives a {@link WeftNode}: after inputs it settles the node, tells the parts of the daemon what comes out, and arms
 * one timer. A part says with {@link on} which outputs it takes.
 *
 * Inputs come in bursts (a socket full of frames, a hundred pods), so the work is put off to the end of the turn of
 * the event loop: one settling, and with it one fsync, for all of them.
 */
export class NodeLoop {
  readonly #node: WeftNode;
  readonly #delay: EventLoopDelay;
  readonly #onFault: (error: unknown) => void;
  readonly #takersByType = new Map<NodeOutput['type'], ((out: NodeOutput) => void)[]>();
  readonly #watchers: ((out: NodeOutput) => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** When the timer is to run, until that is seen to have passed. */
  #dueAt: Instant | undefined;
  #pending = false;
  #closed = false;

  constructor(options: {
    readonly node: WeftNode;
    /** Is told how late the timer is. */
    readonly delay: EventLoopDelay;
    /** The store failed, or a bug: nothing more may leave, so the process has to end. */
    readonly onFault: (error: unknown) => void;
  }) {
    this.#node = options.node;
    this.#delay = options.delay;
    this.#onFault = options.onFault;
  }

  /** Calls `take` with each output of that type. Several parts may take one type, and are told in this order. */
  on<Type extends NodeOutput['type']>(type: Type, take: (out: Output<Type>) => void): void {
    const takers = this.#takersByType.get(type) ?? [];
    // Only outputs of `type` are looked up under `type`; TypeScript cannot follow the pairing.
    takers.push(take as (out: NodeOutput) => void);
    this.#takersByType.set(type, takers);
  }

  /** Calls `watch` with each output of any type, before those who take it. */
  onEach(watch: (out: NodeOutput) => void): void {
    this.#watchers.push(watch);
  }

  /** Something was put into the node: see to it before the event loop waits again. */
  readonly wake = (): void => {
    if (this.#pending || this.#closed) return;
    this.#pending = true;
    setImmediate(this.#run);
  };

  /** Settles at once, so that what was just done is durable when this returns. Nothing after {@link close}. */
  settleNow(): void {
    if (this.#closed) return;
    this.#guard(() => this.#node.settle(clock()));
    this.wake();
  }

  /** `events`, with a look at the node after each. Data packets cause none, so they cost nothing here. */
  watched(events: DatapathEvents): DatapathEvents {
    return {
      sessionWanted: this.waking(events.sessionWanted.bind(events)),
      confirmed: this.waking(events.confirmed.bind(events)),
      moved: this.waking(events.moved.bind(events)),
      control: this.waking(events.control.bind(events)),
      exhausted: this.waking(events.exhausted.bind(events)),
      busy: this.waking(events.busy.bind(events)),
      foreign: this.waking(events.foreign.bind(events)),
      unknownIndex: this.waking(events.unknownIndex.bind(events)),
    };
  }

  /** `handle`, with a {@link wake}: the loop looks at the node at the end of the turn in which it is called. */
  waking<Args extends unknown[], Result>(handle: (...args: Args) => Result): (...args: Args) => Result {
    return (...args) => {
      this.wake();
      return handle(...args);
    };
  }

  /** Nothing is settled, told or timed any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  readonly #run = (): void => {
    this.#pending = false;
    if (this.#closed) return;
    this.#guard(() => {
      const now = clock();
      this.#noteDelay(now);
      this.#node.settle(now);
      for (let out = this.#node.poll(); out !== undefined; out = this.#node.poll()) this.#tell(out);
      this.#arm();
    });
  };

  #tell(out: NodeOutput): void {
    for (const watch of this.#watchers) watch(out);
    for (const take of this.#takersByType.get(out.type) ?? []) take(out);
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const now = clock();
    const at = this.#node.nextTimeout();
    const waitMs = at === undefined ? MAX_SLEEP_MS : Math.min(at - now, MAX_SLEEP_MS);
    // Timers count whole milliseconds from a start of their own, so one may run almost a millisecond early. One more spares
    // a wake-up that finds nothing due.
    const delayMs = waitMs <= 0 ? 0 : Math.ceil(waitMs) + 1;
    this.#dueAt = after(now, delayMs);
    this.#timer = setTimeout(this.#tick, delayMs);
  }

  /** Where the loop was busy with inputs, these are seen to before the timer, which is then set anew. */
  #noteDelay(now: Instant): void {
    if (this.#dueAt === undefined || now < this.#dueAt) return;
    this.#delay.note(this.#dueAt, now);
    this.#dueAt = undefined;
  }

  readonly #tick = (): void => {
    this.#guard(() => {
      const now = clock();
      this.#noteDelay(now);
      this.#node.tick(now);
      this.wake();
    });
  };

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.close();
      this.#onFault(error);
    }
  }
}
