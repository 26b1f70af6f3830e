import type { Endpoint } from '../../base/endpoint.ts';
import { type Warning, warningOf } from '../../base/warning.ts';
import type { Log } from '../../host/log.ts';
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

/** Reads the host's addresses and MTU again whenever the kernel tells that they may be others. */
export class UnderlayWatch {
  readonly #options: UnderlayWatchOptions;
  #endpoints: readonly Endpoint[];
  #mtu: number;
  #stirredAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: UnderlayWatchOptions) {
    this.#options = options;
    this.#endpoints = options.first.endpoints;
    this.#mtu = options.first.mtu;
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

  /** A warning where the MTU is smaller than that for which pods were made. */
  warnings(): Warning[] {
    const { mtu } = this.#options.first;
    if (this.#mtu >= mtu) return [];
    return [warningOf(DAEMON_WARNINGS, 'W_UNDERLAY_MTU', { now: this.#mtu, before: mtu })];
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    this.#stirredAt = undefined;
    const { read, onEndpoints, log } = this.#options;
    try {
      const { endpoints, mtu } = await read();
      if (this.#closed) return;
      if (mtu !== this.#mtu) log.warn('the MTU of the underlay changed', { from: this.#mtu, to: mtu });
      this.#mtu = mtu;
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
