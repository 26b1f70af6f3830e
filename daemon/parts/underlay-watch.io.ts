import type { Endpoint } from '../../base/endpoint.ts';
import { type Warning, warningOf } from '../../base/warning.ts';
import type { Log } from '../../host/log.ts';
import { OVERLAY_OVERHEAD } from '../../router/packet/data-packet.ts';
import { DAEMON_WARNINGS } from '../daemon-warnings.ts';
import type { Underlay } from '../underlay.io.ts';

/** Addresses come and go in bursts (DHCP, duplicate address detection): they are read when so long nothing more came … */
const QUIET_MS = 300;
/** … but not later than this after the first change. */
const LATEST_MS = 2_000;

/** What an {@link UnderlayWatch} is made of. */
interface UnderlayWatchOptions {
  /** As it was when the node was made. */
  readonly first: Underlay;
  readonly read: () => Promise<Underlay>;
  /** The node can be reached at these now. */
  readonly onEndpoints: (endpoints: readonly Endpoint[]) => void;
  readonly log: Log;
}

/**
 * Reads the host's addresses and MTU again whenever the kernel tells that they may be others. Where the underlay
 * carries less, so do the TUN interface and the interfaces of new pods; running pods keep theirs, and the kernel tells them
 * by ICMP what fits into the TUN interface.
 */
export class UnderlayWatch {
  readonly #options: UnderlayWatchOptions;
  #followers: ((overlayMtu: number) => void)[] = [];
  #overlayMtu: number;
  #endpoints: readonly Endpoint[];
  #mtu: number;
  #stirredAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: UnderlayWatchOptions) {
    this.#options = options;
    this.#endpoints = options.first.endpoints;
    this.#mtu = options.first.mtu;
    this.#overlayMtu = options.first.overlayMtu;
  }

  /** An address, a link or a default route changed. */
  stirred(): void {
    if (this.#closed) return;
    const now = performance.now();
    this.#stirredAt ??= now;
    const waitMs = Math.max(0, Math.min(QUIET_MS, this.#stirredAt + LATEST_MS - now));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), waitMs);
  }

  /**
   * The largest packet of the overlay as the underlay is now, bytes; never more than it was at the start, for which buffers
   * and tunnels were made.
   */
  get overlayMtu(): number {
    return this.#overlayMtu;
  }

  /** `take` is told whenever {@link overlayMtu} is another one. */
  follow(take: (overlayMtu: number) => void): void {
    this.#followers.push(take);
  }

  /** A warning where packets of the overlay may be larger than the underlay carries, for their size is set or the least. */
  warnings(): Warning[] {
    const { mtu } = this.#options.first;
    if (this.#mtu >= mtu || this.#overlayMtu + OVERLAY_OVERHEAD <= this.#mtu) return [];
    return [
      warningOf(DAEMON_WARNINGS, 'W_UNDERLAY_MTU', {
        now: this.#mtu,
        before: mtu,
        overlay: this.#overlayMtu,
      }),
    ];
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #followMtu(overlayMtu: number): void {
    if (overlayMtu === this.#overlayMtu) return;
    this.#overlayMtu = overlayMtu;
    for (const take of this.#followers) take(overlayMtu);
  }

  async #look(): Promise<void> {
    this.#stirredAt = undefined;
    const { read, onEndpoints, log } = this.#options;
    try {
      const { endpoints, mtu, overlayMtu } = await read();
      if (this.#closed) return;
      if (mtu !== this.#mtu) log.warn('the MTU of the underlay changed', { from: this.#mtu, to: mtu });
      this.#mtu = mtu;
      this.#followMtu(Math.min(overlayMtu, this.#options.first.overlayMtu));
      if (endpoints.join() === this.#endpoints.join()) return;
      log.info('this node can be reached at other addresses now', { endpoints: endpoints.join(' ') });
      this.#endpoints = endpoints;
      onEndpoints(endpoints);
    } catch (error) {
      log.warn("the host's addresses cannot be read", { fault: String(error) });
      this.stirred();
    }
  }
}
