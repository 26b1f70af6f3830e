import { setTimeout as delay } from 'node:timers/promises';
import { type RandomSource, randomBelow } from '../../../../base/random.ts';
import { until } from '../../../cluster/command.ts';
import type { Namespace } from '../../namespaces.ts';
import type { TestPod } from '../policy-host.ts';
import { isGoverned, type Kind, mayReach, NEWCOMERS } from './cast.ts';
import type { Disturbance } from './disturbance.ts';
import { NodeUnderTrial } from './node-under-trial.ts';
import { type Arrival, Sender } from './sender.ts';

/** Sends to every address that a pod may get, all the time. */
const LASTING_PACE = { fastMs: 50, slowMs: 50 };
const NEWCOMER_PACE = { fastMs: 5, slowMs: 100 };
const FIRST_NEWCOMER = 10;
/** How long pods send, and are sent to, before anything is put right again, once all have been attached. */
const DISTURBED_MS = 1_500;
/** ADD waits 2 s at most, for weft-npc or for nft, one after the other; the rest is what a busy machine takes. */
const ADD_BOUND_MS = 30_000;
/** ADDs of a batch begin within so many milliseconds. */
const SPREAD_MS = 300;
const SETTLE_MS = 60_000;
/** Node, network and broadcast address, and the pods that last. */
const TAKEN_ADDRESSES = 6;

/** One that sends and is sent to. */
interface Actor {
  readonly number: number;
  readonly name: string;
  readonly kind: Kind;
  readonly pod: TestPod;
  readonly sender: Sender;
  /** Until when it may neither send nor be sent to, whatever policies say: for nobody has spoken for it. */
  closedUntil: number;
}

/** What a batch of pods came to. */
export interface Outcome {
  /** A sentence for each packet that came and must not, each ADD that failed or took too long, and each way that is not open. */
  readonly faults: readonly string[];
  /** Packets looked at: the first of each kind and sender, and again after a while. */
  readonly judged: number;
  readonly slowestAddMs: number;
  /** Pods that got an address which another pod had before. */
  readonly dealtAgain: number;
}

/** Has pods start on a node on which weft-npc is disturbed, and holds every packet that comes against what policies say. */
export class Trial {
  readonly #node: NodeUnderTrial;
  readonly #random: RandomSource;
  readonly #actorByNumber = new Map<number, Actor>();
  /** Those of the batch before, which go while weft-npc is disturbed, so that their addresses are dealt out again. */
  #leaving: Actor[] = [];
  #count = FIRST_NEWCOMER;
  #batches = 0;
  readonly #formerAddresses = new Set<string>();

  private constructor(node: NodeUnderTrial, random: RandomSource) {
    this.#node = node;
    this.#random = random;
  }

  /** `batch` is how many pods start at a time, of `pods` in all; there are half as many IPv4 addresses again. */
  static async begin({ batch, pods }: { batch: number; pods: number }, random: RandomSource): Promise<Trial> {
    const wanted = batch + Math.ceil(batch / 2) + TAKEN_ADDRESSES;
    const prefixBits = Math.ceil(Math.log2(wanted));
    const node = await NodeUnderTrial.create({ prefixBits, pods: pods + 2 ** prefixBits });
    const trial = new Trial(node, random);
    try {
      await trial.#startLasting();
      const spare = 2 ** prefixBits - wanted;
      for (let i = 0; i < spare; i++) await node.host.attach('');
    } catch (error) {
      await node.destroy();
      throw error;
    }
    return trial;
  }

  async end(): Promise<void> {
    await this.#node.destroy();
  }

  /** Lets `size` pods start while weft-npc is disturbed, and puts everything right again. */
  async run(disturbance: Disturbance, size: number): Promise<Outcome> {
    const node = this.#node;
    const faults: string[] = [];
    const batch = this.#batches++;
    const cast = Array.from({ length: size }, (_, i) => {
      const kind = NEWCOMERS[(i + batch) % NEWCOMERS.length]!;
      const number = this.#count++;
      return { kind, number, name: `${kind}-${number}`, isKnown: (Math.floor(i / 4) + i) % 2 === 0 };
    });
    const begunAt = Date.now();
    const argsByName = await node.create(cast.filter(({ isKnown }) => isKnown));
    const namespaces = new Map<number, Namespace>();
    const senders = new Map<number, Sender>();
    const targets = this.#lasting.flatMap(({ pod }) => pod.addresses);
    for (const { number } of cast) {
      const namespace = await node.host.podNamespace();
      namespaces.set(number, namespace);
      senders.set(number, await Sender.start(namespace, { number, pace: NEWCOMER_PACE, targets }));
    }
    const disturbedAt = Date.now();
    await disturbance.begin(node);
    const wholeAt = Date.now();
    for (const [name, args] of await node.create(cast.filter(({ isKnown }) => !isKnown)))
      argsByName.set(name, args);
    // The API shows some of those that go for longer than their addresses are theirs.
    const [before, after] = halves(this.#leaving);
    await node.remove(before);
    await Promise.all(this.#leaving.map(({ pod }) => node.host.detach(pod)));
    let slowestAddMs = 0;
    const added = await Promise.all(
      cast.map(async ({ number, name, kind, isKnown }) => {
        await delay(randomBelow(this.#random, SPREAD_MS));
        const pod = await node.host.add('', {
          namespace: namespaces.get(number)!,
          args: argsByName.get(name)!,
        });
        slowestAddMs = Math.max(slowestAddMs, pod.added.ms);
        if (pod.added.code !== 0) faults.push(`${name}: ADD failed: ${pod.added.stdout}`);
        if (pod.added.ms > ADD_BOUND_MS) faults.push(`${name}: ADD took ${Math.round(pod.added.ms)} ms`);
        const speaks =
          disturbance.speaks === 'for all' ||
          disturbance.speaks === 'for some' ||
          (disturbance.speaks === 'for known' && isKnown) ||
          !isGoverned(kind);
        const closedUntil = speaks ? 0 : Number.POSITIVE_INFINITY;
        return { number, name, kind, pod, sender: senders.get(number)!, closedUntil };
      }),
    );
    for (const actor of added) this.#actorByNumber.set(actor.number, actor);
    const dealtAgain = added.filter(({ pod }) =>
      pod.addresses.some((address) => this.#formerAddresses.has(address)),
    ).length;
    for (const { pod } of added) for (const address of pod.addresses) this.#formerAddresses.add(address);
    if (disturbance.opens) {
      // Rules may still take their addresses for others', for those went while weft-npc did not look.
      const left = disturbance.speaks === 'for all' ? [] : this.#leaving.flatMap(({ pod }) => pod.addresses);
      const open = added.filter(
        ({ closedUntil, kind, pod }) =>
          closedUntil === 0 &&
          (disturbance.speaks !== 'for some' || !isGoverned(kind)) &&
          !pod.addresses.some((address) => left.includes(address)),
      );
      const missing = await this.#waitForWays(open, disturbance.flushes ? ['friend', 'stranger'] : undefined);
      faults.push(...missing.map((way) => `not open while weft-npc was ${disturbance.name}: ${way}`));
    }
    await delay(DISTURBED_MS);
    const mendedAt = Date.now();
    for (const actor of added) if (actor.closedUntil > 0) actor.closedUntil = mendedAt;
    await disturbance.end(node);
    await node.remove(after);
    for (const { pod } of this.#leaving) await pod.namespace.delete();
    await node.serves();
    await node.tellAddresses(added.map(({ kind, name, pod: { addresses } }) => ({ kind, name, addresses })));
    const missing = await this.#waitForWays(added, undefined);
    faults.push(...missing.map((way) => `not open after weft-npc was ${disturbance.name}: ${way}`));
    const excused = disturbance.flushes ? { from: disturbedAt, to: wholeAt } : undefined;
    const judged = this.#judge({ name: disturbance.name, since: begunAt, excused }, faults);
    for (const { number } of this.#leaving) this.#actorByNumber.delete(number);
    this.#leaving = added;
    return { faults, judged, slowestAddMs: Math.round(slowestAddMs), dealtAgain };
  }

  get #lasting(): Actor[] {
    return [...this.#actorByNumber.values()].filter(({ number }) => number < FIRST_NEWCOMER);
  }

  async #startLasting(): Promise<void> {
    const node = this.#node;
    const cast = (['friend', 'stranger', 'guarded'] as const).map((kind, number) => ({
      kind,
      number,
      name: kind,
    }));
    const argsByName = await node.create(cast);
    for (const { kind, number, name } of cast) {
      const pod = await node.host.attach('', { args: argsByName.get(name)! });
      const sender = await Sender.start(pod.namespace, {
        number,
        pace: LASTING_PACE,
        targets: node.addresses.filter((address) => !pod.addresses.includes(address)),
      });
      this.#actorByNumber.set(number, { number, name, kind, pod, sender, closedUntil: 0 });
    }
  }

  /** Waits until all that must pass between these and those that last has come; answers what has not. */
  async #waitForWays(pods: readonly Actor[], only: readonly Kind[] | undefined): Promise<string[]> {
    const since = Date.now();
    let missing: string[] = [];
    const all = this.#lasting.filter(({ kind }) => only === undefined || only.includes(kind));
    const look = (): boolean => {
      missing = pods.flatMap((pod) =>
        all.flatMap((other) => [...missingWays(pod, other, since), ...missingWays(other, pod, since)]),
      );
      return missing.length === 0;
    };
    await until('all that must pass', look, {
      timeoutMs: SETTLE_MS,
      everyMs: 100,
    }).catch(() => {});
    return missing;
  }

  /** Adds a fault for each kind of packet that came and must not; answers how many were looked at. */
  #judge(
    {
      name,
      since,
      excused,
    }: { name: string; since: number; excused: { from: number; to: number } | undefined },
    faults: string[],
  ): number {
    let judged = 0;
    for (const receiver of this.#actorByNumber.values()) {
      if (receiver.sender.lost > 0) faults.push(`${receiver.name}: ${receiver.sender.lost} not captured`);
      const told = new Set<string>();
      for (const arrival of receiver.sender.arrivals) {
        const sender = this.#actorByNumber.get(arrival.from);
        if (sender === undefined || arrival.at < since) continue;
        judged++;
        const why = whyForbidden(sender, receiver, arrival);
        if (why === undefined) continue;
        if (excused !== undefined && arrival.at >= excused.from && arrival.at <= excused.to) continue;
        const way = `${sender.name} (${sender.pod.addresses}) -> ${receiver.name} (${receiver.pod.addresses}) ${arrival.protocol} IPv${arrival.family}`;
        if (told.has(way)) continue;
        told.add(way);
        const when = `${new Date(arrival.at).toISOString()}, ${Math.round(arrival.at - since)} ms after the beginning`;
        faults.push(`FORBIDDEN while weft-npc was ${name}: ${way} at ${when}: ${why}`);
      }
      receiver.sender.arrivals.length = 0;
    }
    return judged;
  }
}

function whyForbidden(sender: Actor, receiver: Actor, { at }: Arrival): string | undefined {
  for (const { name, closedUntil } of [sender, receiver])
    if (at < closedUntil) return `nobody can have spoken for ${name}`;
  return mayReach(sender.kind, receiver.kind) ? undefined : 'policies deny it';
}

function missingWays(from: Actor, to: Actor, since: number): string[] {
  if (!mayReach(from.kind, to.kind)) return [];
  const came = new Set(
    to.sender.arrivals
      .filter(({ at, from: number }) => number === from.number && at >= since)
      .map(({ protocol, family }) => `${protocol} IPv${family}`),
  );
  return ['UDP IPv4', 'UDP IPv6', 'TCP IPv4', 'TCP IPv6']
    .filter((kind) => !came.has(kind))
    .map((kind) => `${from.name} -> ${to.name} ${kind}`);
}

function halves<T>(items: readonly T[]): readonly [T[], T[]] {
  return [items.filter((_, i) => i % 2 === 0), items.filter((_, i) => i % 2 === 1)];
}
