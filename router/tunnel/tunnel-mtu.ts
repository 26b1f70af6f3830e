import { after, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import type { TunnelStats } from '../datapath/datapath.ts';
import { DATA_OVERHEAD } from '../packet/data-packet.ts';
import { encodeMtuProbe } from './control-message.ts';
import { BASE_MTU, PathMtu } from './path-mtu.ts';
import type { TunnelContext } from './tunnel-context.ts';

/** Puts the search of {@link PathMtu} on a tunnel: sends its probes, tells the datapath what it found. */
export class TunnelMtu {
  readonly #peer: PeerId;
  readonly #context: Pick<TunnelContext, 'datapath' | 'random' | 'counters' | 'offer'>;
  #search: PathMtu;
  /** What was counted when the size in use was proven last, and at the last look. */
  #proven: { readonly sentIpBytes: number; readonly at: Instant } | undefined;
  #seen: { readonly sentIpBytes: number; readonly receivedIpBytes: number } | undefined;

  constructor(peer: PeerId, context: Pick<TunnelContext, 'datapath' | 'random' | 'counters' | 'offer'>) {
    this.#peer = peer;
    this.#context = context;
    this.#search = new PathMtu({ full: context.offer.mtu, random: context.random });
    context.datapath.setMtu(peer, this.#search.effective);
  }

  get effective(): number {
    return this.#search.effective;
  }

  get confirmed(): boolean {
    return this.#search.confirmed;
  }

  /** The largest size that both ends take; a change begins the search anew. */
  setFull(full: number, now: Instant): void {
    if (full === this.#search.full) return;
    this.#search = new PathMtu({ full, random: this.#context.random });
    this.restart(now);
  }

  /** The path is a new one. */
  restart(now: Instant): void {
    this.#search.restart(now);
    this.#proven = { sentIpBytes: this.#context.datapath.stats(this.#peer).sentIpBytes, at: now };
    this.#seen = undefined;
    this.#context.datapath.setMtu(this.#peer, this.#search.effective);
  }

  /** The path is one that another weftd of this node used; `proven`: a size that it saw to arrive. */
  resume(full: number, proven: number | undefined, now: Instant): void {
    this.setFull(full, now);
    this.restart(now);
    if (proven === undefined) return;
    this.#search.resume(proven, now);
    this.#context.datapath.setMtu(this.#peer, this.#search.effective);
  }

  /** There is no path. */
  stop(): void {
    this.#search.stop();
    this.#proven = undefined;
  }

  /**
   * Looks at what was sent, every few seconds, and has the size in use proven again where the path may have become
   * narrower (black hole detection, RFC 8899 §4.3). That is so when packets of pods went out for which none came back,
   * at once; and otherwise after {@link VERIFY_MTU_MS} in which anything was sent that a narrower path could swallow.
   * How much was sent does not matter: a transfer that the path swallows sends next to nothing.
   */
  look({ sentIpBytes, receivedIpBytes }: TunnelStats, now: Instant): void {
    if (this.#proven === undefined) return;
    const seen = this.#seen ?? { sentIpBytes: this.#proven.sentIpBytes, receivedIpBytes };
    this.#seen = { sentIpBytes, receivedIpBytes };
    const stalled = sentIpBytes - seen.sentIpBytes > BASE_MTU && receivedIpBytes === seen.receivedIpBytes;
    const stale =
      sentIpBytes - this.#proven.sentIpBytes > BASE_MTU && now >= after(this.#proven.at, VERIFY_MTU_MS);
    if (!stalled && !stale) return;
    this.#proven = { sentIpBytes, at: now };
    this.#search.verify(now);
  }

  acknowledged(token: Uint8Array, size: number, now: Instant): void {
    if (this.#search.acknowledged(token, size, now)) {
      this.#context.datapath.setMtu(this.#peer, this.#search.effective);
    } else this.#context.counters.add('control.staleMtuAck');
  }

  /** Sends what is due; only with a session and a path. */
  tick(now: Instant): void {
    const { datapath, counters } = this.#context;
    const before = this.#search.effective;
    for (let probe = this.#search.tick(now); probe !== undefined; probe = this.#search.tick(now)) {
      const body = encodeMtuProbe(probe.token, probe.size);
      datapath.sendControl(this.#peer, body, { padTo: probe.size + DATA_OVERHEAD });
    }
    if (this.#search.effective === before) return;
    counters.add('tunnel.mtuLowered');
    datapath.setMtu(this.#peer, this.#search.effective);
  }

  nextTimeout(): Instant | undefined {
    return this.#search.nextTimeout();
  }
}

/** The path MTU in use is confirmed this often, while something large is sent. */
const VERIFY_MTU_MS = 30_000;
