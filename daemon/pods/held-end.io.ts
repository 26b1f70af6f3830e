import { formatAddress } from '../../base/address.ts';
import type { Instant } from '../../base/instant.ts';
import { type Warning, warningOf } from '../../base/warning.ts';
import type { HeldPod } from '../../cni/needs.ts';
import { mendPodEnd, readLeftAlone } from '../../cni/pod-link/pod-end.io.ts';
import type { PodHandles } from '../../cni/pod-link/pod-network.io.ts';
import { LookSchedule } from '../../ground/look-schedule.ts';
import { ROUTE_GROUP } from '../../linux/rtnetlink/route-event.ts';
import { RouteSocket } from '../../native/netlink.ts';
import { POD_WARNINGS } from './pod-warnings.ts';

/** While a pod is so young, other plugins and networks may change what ADD made. */
export const SETTLE_MS = 10_000;
/** Between two looks: a pod may change its network all the time, and as it likes. */
const LEAST_PAUSE_MS = 2_000;
/** Neighbours are left out: they are many in a busy pod, and those of gateways go with their link only. */
const GROUPS = [
  ROUTE_GROUP.link,
  ROUTE_GROUP.ipv4Address,
  ROUTE_GROUP.ipv6Address,
  ROUTE_GROUP.ipv4Route,
  ROUTE_GROUP.ipv6Route,
];

/** Who is told of a pod's end. */
export interface HeldEndListener {
  /** It was put right. */
  mended(pod: string, found: string): void;
  /** It could not be put right. It is tried again. */
  failed(pod: string, error: unknown): void;
  /** It is closed by now, since there is nothing to keep any more. */
  gone(): void;
}

/**
 * One pod's end, kept as ADD made it: looked at when the kernel tells of a change in the pod's namespace, and never
 * otherwise. What is undone again and again is put right ever more rarely, each pod for itself.
 */
export class HeldEnd {
  readonly handles: Omit<PodHandles, 'end'>;
  #held: HeldPod;
  readonly #clock: () => Instant;
  readonly #listener: HeldEndListener;
  readonly #schedule: LookSchedule;
  #timer: NodeJS.Timeout | undefined;
  #fault: unknown;
  #closed = false;

  /** Takes over `handles`, unless it throws: where the socket takes no groups. */
  constructor(
    handles: Omit<PodHandles, 'end'>,
    held: HeldPod,
    options: {
      readonly clock: () => Instant;
      readonly settleMs: number;
      readonly listener: HeldEndListener;
    },
  ) {
    this.handles = handles;
    this.#held = held;
    this.#clock = options.clock;
    this.#listener = options.listener;
    this.#schedule = new LookSchedule(this.#clock(), {
      slowLookMs: Number.POSITIVE_INFINITY,
      leastPauseMs: LEAST_PAUSE_MS,
    });
    for (const group of GROUPS) RouteSocket.join(handles.events.fd, group);
    if (held.leftAlone === undefined)
      this.#timer = setTimeout(() => void this.#settle(), options.settleMs).unref();
    else this.#watch();
  }

  /** What is known of it, as its next keeper needs it. */
  get held(): HeldPod {
    return this.#held;
  }

  warnings(): Warning[] {
    const pod = this.#name;
    const warnings = this.#schedule
      .contests(this.#clock())
      .map(({ found, repairs, sinceMs }) =>
        warningOf(POD_WARNINGS, 'W_POD_UNDONE', { pod, found, repairs, minutes: minutes(sinceMs) }),
      );
    if (this.#fault === undefined) return warnings;
    return [warningOf(POD_WARNINGS, 'W_POD_NOT_MENDED', { pod, fault: textOf(this.#fault) }), ...warnings];
  }

  /** Looks no more; the handles stay open. */
  stop(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  close(): void {
    this.stop();
    this.handles.client.close();
    this.handles.events.close();
  }

  get #name(): string {
    const { owner, attachment } = this.#held;
    return `${owner} (${attachment.addresses.map(formatAddress).join(', ')})`;
  }

  #watch(): void {
    this.handles.events.start(() => {
      this.#schedule.stirred(this.#clock());
      this.#arm();
    });
    // What was changed before anybody listened.
    this.#schedule.stirred(this.#clock());
    this.#arm();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    const waitMs = this.#schedule.nextLook - this.#clock();
    if (this.#closed || waitMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => void this.#look(), Math.max(0, Math.ceil(waitMs))).unref();
  }

  async #settle(): Promise<void> {
    try {
      const leftAlone = await readLeftAlone(this.handles.client, this.#held);
      if (this.#closed) return;
      if (leftAlone === undefined) return this.#gone();
      this.#held = { ...this.#held, leftAlone };
      this.#watch();
    } catch (error) {
      // The namespace cannot be asked: there is nothing to hold it by.
      if (this.#closed) return;
      this.#listener.failed(this.#name, error);
      this.#gone();
    }
  }

  async #look(): Promise<void> {
    const { client, events } = this.handles;
    this.#schedule.begin();
    let found: string[] = [];
    let fault: unknown;
    try {
      // What comes from here on is told again; before, it is seen by this look.
      events.drain();
      events.again();
      const mended = await mendPodEnd(client, this.#held);
      if (this.#closed) return;
      if (mended === 'gone') return this.#gone();
      found = mended;
    } catch (error) {
      fault = error;
    }
    if (this.#closed) return;
    for (const text of found) this.#listener.mended(this.#name, text);
    this.#schedule.looked(
      this.#clock(),
      found.map((text) => ({ kind: 'pod', found: text })),
      { failed: fault !== undefined },
    );
    if (fault !== undefined) this.#listener.failed(this.#name, fault);
    this.#fault = fault;
    this.#arm();
  }

  #gone(): void {
    this.close();
    this.#listener.gone();
  }
}

function minutes(ms: number): number {
  return Math.max(1, Math.round(ms / 60_000));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
