import { clock } from '../host/clock.io.ts';
import type { NodeOutput } from '../node/node-types.ts';
import type { WeftNode } from '../node/weft-node.ts';
import type { DatapathEvents } from '../router/datapath/datapath.ts';
import type { TcpLinks } from '../router/link/tcp-links.io.ts';

/** Longest sleep: setTimeout takes no more than 2^31 − 1 ms, and nothing of ours waits that long. */
const MAX_SLEEP_MS = 60_000;

/**
 * Drives a {@link WeftNode}: after inputs it settles the node, carries out what comes out, and arms one timer.
 *
 * Inputs come in bursts (a socket full of frames, a hundred pods), so the work is put off to the end of the turn of
 * the event loop: one settling, and with it one fsync, for all of them.
 */
export class NodeLoop {
  readonly #node: WeftNode;
  readonly #onOutput: (out: NodeOutput) => void;
  readonly #onFault: (error: unknown) => void;
  #links: TcpLinks | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pending = false;
  #stopped = false;

  constructor(options: {
    readonly node: WeftNode;
    /** Everything but what concerns links, which the loop sees to itself. */
    readonly onOutput: (out: NodeOutput) => void;
    /** The store failed, or a bug: nothing more may leave, so the process has to end. */
    readonly onFault: (error: unknown) => void;
  }) {
    this.#node = options.node;
    this.#onOutput = options.onOutput;
    this.#onFault = options.onFault;
  }

  set links(links: TcpLinks) {
    this.#links = links;
  }

  /** Something was put into the node: see to it before the event loop waits again. */
  readonly wake = (): void => {
    if (this.#pending || this.#stopped) return;
    this.#pending = true;
    setImmediate(this.#run);
  };

  /** Settles at once, so that what was just done is durable when this returns. Nothing after {@link stop}. */
  settleNow(): void {
    if (this.#stopped) return;
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
      foreign: this.waking(events.foreign.bind(events)),
      unknownIndex: this.waking(events.unknownIndex.bind(events)),
    };
  }

  /** `handle`, followed by {@link wake}. */
  waking<Args extends unknown[]>(handle: (...args: Args) => void): (...args: Args) => void {
    return (...args) => {
      handle(...args);
      this.wake();
    };
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  readonly #run = (): void => {
    this.#pending = false;
    if (this.#stopped) return;
    this.#guard(() => {
      this.#node.settle(clock());
      for (let out = this.#node.poll(); out !== undefined; out = this.#node.poll()) this.#carryOut(out);
      this.#arm();
    });
  };

  #carryOut(out: NodeOutput): void {
    switch (out.type) {
      case 'dial':
        this.#links?.dial(out.link, out.endpoint);
        return;
      case 'write':
        this.#links?.write(out.link, out.bytes);
        return;
      case 'close':
        this.#links?.close(out.link);
        return;
      default:
        this.#onOutput(out);
    }
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const at = this.#node.nextTimeout();
    const delay = at === undefined ? MAX_SLEEP_MS : Math.min(Math.max(at - clock(), 0), MAX_SLEEP_MS);
    // A timer may fire a fraction of a millisecond early; rounding up spares a tick that finds nothing due.
    this.#timer = setTimeout(this.#tick, Math.ceil(delay));
  }

  readonly #tick = (): void => {
    this.#guard(() => {
      this.#node.tick(clock());
      this.wake();
    });
  };

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.stop();
      this.#onFault(error);
    }
  }
}
