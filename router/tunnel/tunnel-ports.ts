import { hex } from '../../base/bytes.ts';
import { after, earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { CONTROL_TOKEN_LENGTH, encodeTokenMessage } from './control-message.ts';
import type { TunnelContext } from './tunnel-context.ts';

const KEEPALIVE = new Uint8Array(0);
/** Between the first round of probes and the second, in case some of the first were lost. */
const AGAIN_MS = 300;
/** Between later rounds: a port that ceases to reach the peer loses flows for two of them at most. */
const ROUND_MS = 10_000;
/** A peer that no further port reached is asked again after this. */
const HOPELESS_MS = 600_000;
/** Probes in a row without an answer until a port is used no more. */
const MISSES = 2;
/** While further ports are in use the peer hears from the known port as often: it takes others for ours while it does. */
const KNOWN_PORT_MS = 1_000;
/** What is sent in a round by a stream that is worth several ports. */
const BUSY_BYTES = 10_000_000;

/**
 * Which further source ports reach a peer. A pair of nodes is one flow for the network, which holds each flow to a rate
 * and to one queue; so the datapath spreads the pair's flows over several source ports, where much is sent. Not every
 * network lets through what comes from a port that it does not know (a NAT that the path was punched through), so a port is
 * used only once the peer has answered a probe that came from it, and as long as it answers.
 *
 * Nothing is sent to a peer that little goes to.
 */
export class TunnelPorts {
  readonly #peer: PeerId;
  readonly #context: Pick<TunnelContext, 'datapath' | 'random' | 'counters'>;
  /** Further ports that the datapath has; 0 while nothing is under way. */
  #count = 0;
  /** Bits of those in use, from 1. */
  #ports = 0;
  #roundAt: Instant | undefined;
  #knownPortAt: Instant | undefined;
  #round = 0;
  /** Probes of the latest round without an answer so far: their ports by token. */
  readonly #unanswered = new Map<string, number>();
  readonly #misses = new Map<number, number>();
  #sentBytes = 0;

  constructor(peer: PeerId, context: Pick<TunnelContext, 'datapath' | 'random' | 'counters'>) {
    this.#peer = peer;
    this.#context = context;
  }

  /** Bits of the further ports in use, from 1. */
  get ports(): number {
    return this.#ports;
  }

  /** Much goes to the peer, and the datapath has `count` further ports. */
  busy(count: number, now: Instant): void {
    if (count === 0 || this.#count > 0) return;
    this.#count = count;
    this.#round = 0;
    this.#roundAt = this.#knownPortAt = now;
  }

  /** There is another path, or none. The datapath has let go of the ports by itself. */
  restart(): void {
    this.#count = this.#ports = 0;
    this.#roundAt = this.#knownPortAt = undefined;
    this.#unanswered.clear();
    this.#misses.clear();
  }

  /** A probe was answered. */
  answered(token: Uint8Array): void {
    const key = hex(token);
    const port = this.#unanswered.get(key);
    if (port === undefined) {
      this.#context.counters.add('control.stalePort');
      return;
    }
    this.#unanswered.delete(key);
    this.#misses.delete(port);
    this.#use(this.#ports | (1 << port));
  }

  /** Sends what is due. */
  tick(now: Instant): void {
    if (this.#ports !== 0 && this.#knownPortAt !== undefined && now >= this.#knownPortAt) {
      this.#knownPortAt = after(now, KNOWN_PORT_MS);
      this.#context.datapath.sendControl(this.#peer, KEEPALIVE);
    }
    if (this.#roundAt === undefined || now < this.#roundAt) return;
    const { sentBytes } = this.#context.datapath.stats(this.#peer);
    const carried = sentBytes - this.#sentBytes;
    this.#sentBytes = sentBytes;
    const settled = this.#round >= 2;
    const hopeless = settled && this.#ports === 0;
    if (this.#round > 2 && (hopeless || carried < BUSY_BYTES)) {
      this.restart();
      this.#context.datapath.setPorts(this.#peer, 0);
      return;
    }
    this.#round++;
    if (hopeless) {
      this.#unanswered.clear();
      this.#roundAt = after(now, HOPELESS_MS);
      return;
    }
    this.#roundAt = after(now, this.#round === 1 ? AGAIN_MS : ROUND_MS);
    this.#judge();
    this.#probe();
  }

  nextTimeout(): Instant | undefined {
    const knownPortAt = this.#ports === 0 ? undefined : this.#knownPortAt;
    return earliest(this.#roundAt, knownPortAt);
  }

  /** What the latest round left unanswered. */
  #judge(): void {
    let ports = this.#ports;
    for (const port of this.#unanswered.values()) {
      const misses = (this.#misses.get(port) ?? 0) + 1;
      this.#misses.set(port, misses);
      if (misses >= MISSES) ports &= ~(1 << port);
    }
    this.#unanswered.clear();
    this.#use(ports);
  }

  #probe(): void {
    const { datapath, random } = this.#context;
    for (let port = 1; port <= this.#count; port++) {
      // One that the second round did not reach either is not asked again on this path.
      if (this.#round > 2 && (this.#ports & (1 << port)) === 0) continue;
      const token = random.bytes(CONTROL_TOKEN_LENGTH);
      if (datapath.sendControl(this.#peer, encodeTokenMessage('portProbe', token), { port }))
        this.#unanswered.set(hex(token), port);
    }
  }

  #use(ports: number): void {
    if (ports === this.#ports) return;
    this.#ports = ports;
    this.#context.datapath.setPorts(this.#peer, ports);
  }
}
