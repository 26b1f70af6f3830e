import type { Counters } from '../../base/counters.ts';
import { after, earliest, type Instant } from '../../base/instant.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { type RandomSource, randomBelow, randomUnit, shuffle } from '../../base/random.ts';
import type { Result } from '../../base/result.ts';
import type { GossipConfig } from '../model/gossip-config.ts';
import type { GossipCounter } from '../model/gossip-counters.ts';
import type { Rumour } from '../model/rumour.ts';
import type { Membership } from './membership.ts';
import type { RumourQueue } from './rumour-queue.ts';
import {
  decodeSwimPacket,
  encodeSwimPacket,
  MAX_PIGGYBACK,
  type SwimFault,
  type SwimPacket,
} from './swim-packet.ts';

/** Pings in flight on behalf of others; further requests are dropped and counted. */
export const MAX_RELAYED_PINGS = 128;
/** Probes in flight: the one of the round, and those of members in doubt; further doubts are dropped and counted. */
export const MAX_PROBES = 64;
/** Lifeguard's local health: 0 (well) … 4 (so slow ourselves that we had better not accuse others quickly). */
export const MAX_HEALTH_MULTIPLIER = 4;

/**
 * SWIM's failure detector with Lifeguard's local health, over datagrams through the tunnels.
 *
 * Each interval one member is pinged, in shuffled rounds. No ack in time: a few others are asked to ping it, and owe
 * an ack, or a nack that shows they heard us. Still none at the end of the interval: suspect. How long "in time" is
 * stretches with our own health: missed nacks and having to refute suspicions mean that the fault is ours.
 *
 * Besides, one member that counts as dead, or was never heard, is pinged each interval, with the rumour of its death
 * on board, so that it can take it back: a healed partition is noticed by this, however long it lasted.
 */
export class Swim {
  readonly #options: SwimOptions;
  readonly #random: RandomSource;
  #round: PeerId[] = [];
  /** At most one for each target. */
  readonly #probeByTarget = new Map<PeerId, Probe>();
  #nextProbeAt: Instant | undefined;
  #number: number;
  #health = 0;
  readonly #relayedByNumber = new Map<number, RelayedPing>();

  constructor(options: SwimOptions) {
    this.#options = options;
    this.#random = options.random;
    this.#number = randomBelow(options.random, 2 ** 32);
  }

  /** 0 … {@link MAX_HEALTH_MULTIPLIER}. */
  get healthMultiplier(): number {
    return this.#health;
  }

  start(now: Instant): void {
    // Not everybody's probes in step when a cluster starts together.
    this.#nextProbeAt = after(now, randomUnit(this.#random) * this.#options.config.probeIntervalMs);
  }

  /** We had to refute a suspicion: perhaps we are slow. */
  refuted(): void {
    this.#worsen(1);
  }

  /** Probes `peer` now, out of turn. */
  doubt(peer: PeerId, now: Instant): void {
    if (this.#probeByTarget.has(peer)) return;
    if (this.#probeByTarget.size >= MAX_PROBES) this.#options.counters.add('swim.doubtDropped');
    else this.#startProbe(peer, now);
  }

  /** A datagram from `from`, whom the tunnel has authenticated. Returns its rumours. */
  handle(from: PeerId, bytes: Uint8Array, now: Instant): Result<readonly Rumour[], SwimFault> {
    const decoded = decodeSwimPacket(bytes);
    if (!decoded.ok) return decoded;
    const packet = decoded.value;
    switch (packet.kind) {
      case 'ping':
        this.#send(from, { kind: 'ack', number: packet.number });
        break;
      case 'ping-req':
        this.#relayPing(from, packet, now);
        break;
      case 'ack':
        this.#acked(from, packet.number, now);
        break;
      case 'nack':
        this.#probeOf(packet.number)?.silentRelays.delete(from);
    }
    return { ok: true, value: packet.rumours };
  }

  tick(now: Instant): void {
    for (const [number, relayed] of this.#relayedByNumber) {
      if (!relayed.nacked && relayed.nackAt <= now) {
        relayed.nacked = true;
        this.#send(relayed.asker, { kind: 'nack', number: relayed.number });
      }
      if (relayed.until <= now) this.#relayedByNumber.delete(number);
    }
    for (const probe of this.#probeByTarget.values()) {
      if (probe.endsAt <= now) this.#finishProbe(probe, now);
      else if (probe.indirectAt !== undefined && probe.indirectAt <= now) this.#askOthers(probe);
    }
    if (this.#nextProbeAt !== undefined && this.#nextProbeAt <= now) {
      this.#nextProbeAt = after(now, this.#intervalMs());
      const target = this.#nextTarget();
      if (target !== undefined) this.#startProbe(target, now);
      this.#pingAbsent();
    }
  }

  nextTimeout(): Instant | undefined {
    let first = this.#nextProbeAt;
    for (const probe of this.#probeByTarget.values()) first = earliest(first, probe.indirectAt, probe.endsAt);
    for (const each of this.#relayedByNumber.values())
      first = earliest(first, each.nacked ? each.until : each.nackAt);
    return first;
  }

  #startProbe(target: PeerId, now: Instant): void {
    if (this.#probeByTarget.has(target)) return;
    const number = this.#nextNumber();
    this.#probeByTarget.set(target, {
      target,
      number,
      startedAt: now,
      indirectAt: after(now, this.#options.config.probeTimeoutMs * (this.#health + 1)),
      endsAt: after(now, this.#intervalMs()),
      silentRelays: new Set(),
    });
    this.#send(target, { kind: 'ping', number }, this.#rumourOfAbsence(target));
  }

  #finishProbe(probe: Probe, now: Instant): void {
    const { membership, counters } = this.#options;
    this.#probeByTarget.delete(probe.target);
    if (membership.heardSince(probe.target, probe.startedAt)) return; // its links speak, though the tunnel does not
    counters.add('swim.probeFailed');
    this.#worsen(probe.silentRelays.size);
    membership.suspect(probe.target, now);
  }

  #nextTarget(): PeerId | undefined {
    const { membership } = this.#options;
    for (let refilled = false; ; ) {
      const next = this.#round.pop();
      if (next !== undefined) {
        if (membership.isPresent(next)) return next;
      } else {
        if (refilled) return undefined;
        refilled = true;
        this.#round = shuffle(
          this.#random,
          this.#inState((state) => state === 'alive' || state === 'suspect'),
        );
      }
    }
  }

  #askOthers(probe: Probe): void {
    probe.indirectAt = undefined;
    const others = this.#inState((state) => state === 'alive').filter((peer) => peer !== probe.target);
    for (const relay of shuffle(this.#random, others).slice(0, this.#options.config.indirectProbes)) {
      probe.silentRelays.add(relay);
      this.#send(relay, { kind: 'ping-req', number: probe.number, target: probe.target });
    }
  }

  #pingAbsent(): void {
    const absent = this.#inState((state) => state === 'dead' || state === 'unknown');
    if (absent.length === 0) return;
    const target = absent[randomBelow(this.#random, absent.length)]!;
    this.#send(
      target,
      { kind: 'ping', number: this.#nextNumber() },
      this.#options.membership.rumourOf(target),
    );
  }

  #relayPing(asker: PeerId, packet: SwimPacket, now: Instant): void {
    const target = packet.target;
    if (target === undefined || target === this.#options.self || target === asker) return;
    // Only members are pinged for others: nobody can make us call on strangers.
    if (this.#options.membership.stateOf(target) === undefined) return;
    if (this.#relayedByNumber.size >= MAX_RELAYED_PINGS) {
      this.#options.counters.add('swim.relayDropped');
      return;
    }
    const timeoutMs = this.#options.config.probeTimeoutMs;
    const number = this.#nextNumber();
    this.#relayedByNumber.set(number, {
      asker,
      number: packet.number,
      target,
      // Lifeguard: the nack must reach the asker before its interval ends.
      nackAt: after(now, 0.8 * timeoutMs),
      until: after(now, 4 * timeoutMs),
      nacked: false,
    });
    this.#send(target, { kind: 'ping', number }, this.#rumourOfAbsence(target));
  }

  #acked(from: PeerId, number: number, now: Instant): void {
    const relayed = this.#relayedByNumber.get(number);
    if (relayed && relayed.target === from) {
      this.#relayedByNumber.delete(number);
      this.#send(relayed.asker, { kind: 'ack', number: relayed.number });
      return;
    }
    const probe = this.#probeOf(number);
    if (!probe || (from !== probe.target && !probe.silentRelays.has(from))) return;
    this.#probeByTarget.delete(probe.target);
    this.#health = Math.max(0, this.#health - 1);
    // A relay's word that the target answered ends this probe; it does not prove life, so it clears no suspicion.
    if (from !== probe.target) this.#options.counters.add('swim.indirectAck');
    else this.#options.membership.heard(from, now);
  }

  /** What its subject should hear first, to take it back. */
  #rumourOfAbsence(peer: PeerId): Rumour | undefined {
    const rumour = this.#options.membership.rumourOf(peer);
    return rumour?.state === 'alive' ? undefined : rumour;
  }

  #inState(wanted: (state: string) => boolean): PeerId[] {
    const out: PeerId[] = [];
    for (const [peer, state] of this.#options.membership.peers()) if (wanted(state)) out.push(peer);
    return out;
  }

  #send(to: PeerId, packet: Omit<SwimPacket, 'rumours'>, first?: Rumour): void {
    const rumours = this.#options.rumours.take(MAX_PIGGYBACK - (first ? 1 : 0));
    if (first) rumours.unshift(first);
    this.#options.send(to, encodeSwimPacket({ ...packet, rumours }));
  }

  #nextNumber(): number {
    this.#number = (this.#number + 1) % 2 ** 32;
    return this.#number;
  }

  #probeOf(number: number): Probe | undefined {
    for (const probe of this.#probeByTarget.values()) if (probe.number === number) return probe;
    return undefined;
  }

  /** From one probe to the next, and from a probe to its verdict. */
  #intervalMs(): number {
    return this.#options.config.probeIntervalMs * (this.#health + 1);
  }

  #worsen(by: number): void {
    this.#health = Math.min(MAX_HEALTH_MULTIPLIER, this.#health + by);
  }
}

/** The parts of gossip that the failure detector needs. */
interface SwimOptions {
  readonly self: PeerId;
  readonly config: GossipConfig;
  readonly random: RandomSource;
  readonly counters: Counters<GossipCounter>;
  readonly membership: Membership;
  readonly rumours: RumourQueue;
  /** Hands a datagram to the tunnel. */
  readonly send: (to: PeerId, bytes: Uint8Array) => void;
}

interface Probe {
  readonly target: PeerId;
  readonly number: number;
  readonly startedAt: Instant;
  /** When others are to be asked; undefined once they were. */
  indirectAt: Instant | undefined;
  /** When the target is suspected. */
  readonly endsAt: Instant;
  /** Asked, and neither ack nor nack came. */
  readonly silentRelays: Set<PeerId>;
}

interface RelayedPing {
  readonly asker: PeerId;
  /** The asker's number. */
  readonly number: number;
  readonly target: PeerId;
  readonly nackAt: Instant;
  readonly until: Instant;
  nacked: boolean;
}
