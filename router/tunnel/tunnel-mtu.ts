import { after, earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { DATA_OVERHEAD } from '../packet/data-packet.ts';
import { encodeMtuProbe } from './control-message.ts';
import { PathMtu } from './path-mtu.ts';
import type { TunnelContext } from './tunnel-context.ts';

/** Puts the search of {@link PathMtu} on a tunnel: sends its probes, tells the datapath what it found. */
export class TunnelMtu {
  readonly #peer: PeerId;
  readonly #context: Pick<TunnelContext, 'datapath' | 'random' | 'counters' | 'offer'>;
  #search: PathMtu;
  #verifyAt: Instant | undefined;
  #sentBytesBefore = 0;

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
    this.#verifyAt = after(now, VERIFY_MTU_MS);
    this.#context.datapath.setMtu(this.#peer, this.#search.effective);
  }

  /** There is no path. */
  stop(): void {
    this.#search.stop();
    this.#verifyAt = undefined;
  }

  acknowledged(token: Uint8Array, size: number, now: Instant): void {
    if (this.#search.acknowledged(token, size, now)) {
      this.#context.datapath.setMtu(this.#peer, this.#search.effective);
    } else this.#context.counters.add('control.staleMtuAck');
  }

  /** Sends what is due; only with a session and a path. */
  tick(now: Instant): void {
    const { datapath, counters } = this.#context;
    if (this.#verifyAt !== undefined && this.#verifyAt <= now) {
      this.#verifyAt = after(now, VERIFY_MTU_MS);
      const { sentBytes } = datapath.stats(this.#peer);
      if (sentBytes - this.#sentBytesBefore >= VERIFY_MTU_BYTES) this.#search.verify(now);
      this.#sentBytesBefore = sentBytes;
    }
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
    return earliest(this.#search.nextTimeout(), this.#verifyAt);
  }
}

/** The path MTU in use is confirmed this often, when that much was sent meanwhile. */
export const VERIFY_MTU_MS = 30_000;
export const VERIFY_MTU_BYTES = 65_536;
