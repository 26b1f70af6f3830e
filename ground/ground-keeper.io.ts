import type { Address } from '../base/address.ts';
import type { Counters } from '../base/counters.ts';
import type { Endpoint } from '../base/endpoint.ts';
import { after, type Instant, instant } from '../base/instant.ts';
import { type Warning, warningLine, warningOf, warningOfError } from '../base/warning.ts';
import { WeftError } from '../base/weft-error.ts';
import type { PacketRules } from '../linux/nftables.ts';
import { NFNLGRP_NFTABLES, type RulesetChange, RulesetChanges } from '../linux/nftables-event.ts';
import { parseRouteEvents, ROUTE_GROUP } from '../linux/rtnetlink/route-event.ts';
import { NETLINK_NETFILTER, NETLINK_ROUTE } from '../native/netlink-events.ts';
import { COUNTER_BY_REPAIR, type GroundCounter } from './ground-counters.ts';
import { GROUND_WARNINGS } from './ground-warnings.ts';
import { readDeafLinks, readForwardHindrances, readLegacyHindrances, readMasks } from './hindrances.io.ts';
import type { HostGround } from './host-ground.ts';
import { type HostKernel, repairHost } from './host-kernel.io.ts';
import { KeptRules } from './kept-rules.io.ts';
import { KernelEvents } from './kernel-events.io.ts';
import { LookSchedule, SLOW_LOOK_MS } from './look-schedule.ts';
import { PodEndShapes } from './pod-end-shapes.ts';
import { concernOf, concernsRules } from './relevance.ts';
import type { Repaired } from './repair.ts';
import type { RulesMemory } from './rules-memory.io.ts';

/** The host's ends of pods, which the CNI plugin knows. */
interface PodGround {
  /** Puts right what is not as it was made. Resolves with what was found. */
  mend(): Promise<readonly Repaired[]>;
}

/** Who is told what the ground is like. */
interface GroundListener {
  /** Something was not as Weft made it, and was put right. */
  repaired(what: Repaired): void;
  /** Another program drops packets of pods, or leads them elsewhere. Told once, when it is first seen. */
  hindered(what: Warning): void;
  /** The ground could not be read or put right. It is tried again. */
  failed(error: unknown): void;
  /** The TUN interface is not in this namespace any more, under any name: only another weftd can make it anew. */
  tunGone(error: WeftError): void;
  /** Addresses, links or routes of the underlay may be others now. */
  underlayStirred(): void;
}

/** Who keeps rules of its own in nftables, and hears of changes from here: one socket serves both. */
export interface RulesetWatcher {
  /** Chains, sets and objects that are to be named in what it is told. */
  readonly names: Iterable<string>;
  changed(changes: readonly RulesetChange[]): void;
  /** Events were lost: anything may have changed. */
  lost(): void;
}

interface GroundKeeperOptions {
  readonly kernel: HostKernel;
  readonly ground: HostGround;
  readonly rules: PacketRules;
  readonly listener: GroundListener;
  readonly watcher?: RulesetWatcher | undefined;
  /** What the weftd before has set; without one the rules are always set. */
  readonly memory?: RulesMemory;
  readonly counters: Counters<GroundCounter>;
  readonly clock: () => Instant;
  /** Opens sockets for events. Default {@link KernelEvents.of}. */
  readonly listen?: typeof KernelEvents.of;
}

/** The kernel's longest timer; the slow look comes long before. */
const MAX_SLEEP_MS = 2 ** 31 - 1;

/** Neighbours are left out: they are many on a busy host, and those of pods go with their links only. */
const GROUPS = [
  ROUTE_GROUP.link,
  ROUTE_GROUP.ipv4Address,
  ROUTE_GROUP.ipv6Address,
  ROUTE_GROUP.ipv4Route,
  ROUTE_GROUP.ipv6Route,
  ROUTE_GROUP.ipv4Rule,
  ROUTE_GROUP.ipv6Rule,
  ROUTE_GROUP.ipv4Netconf,
  ROUTE_GROUP.ipv6Netconf,
];

/**
 * Keeps the host's network as the ground describes it (host-ground.ts): looks when the kernel tells of a change that
 * may concern it, and once a minute, and puts right what differs. Nothing of it is taken away at {@link close}.
 */
export class GroundKeeper {
  readonly #options: GroundKeeperOptions;
  readonly #schedule: LookSchedule;
  readonly #changes: RulesetChanges;
  readonly #events: KernelEvents[] = [];
  #ground: HostGround;
  #pods: PodGround | undefined;
  readonly #rules: KeptRules;
  /** A change of nftables may have touched the table since it was last compared. */
  #rulesStirred = false;
  /** When it is compared though the kernel told of no change. */
  #rulesDueAt = instant(Number.NEGATIVE_INFINITY);
  /** The program that made that change. */
  #rulesBy: string | undefined;
  #tunIndex: number | undefined;
  readonly #podEnds: PodEndShapes;
  /** nftables changed since chains of other programs were last read. */
  #othersStirred = true;
  /** Chains of other programs that drop what is forwarded between pods. */
  #forwardDrops: readonly Warning[] = [];
  /** The same of the old iptables, of whose changes no event tells. */
  #legacyDrops: readonly Warning[] = [];
  #legacyDueAt = instant(Number.NEGATIVE_INFINITY);
  /** What leads packets for pods elsewhere, or does not let them in. */
  #masks: readonly Warning[] = [];
  /** What the last look could not put right. */
  #fault: unknown;
  #timer: NodeJS.Timeout | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #started = false;
  #closed = false;

  constructor(options: GroundKeeperOptions) {
    this.#options = options;
    this.#ground = options.ground;
    this.#rules = new KeptRules(options.rules, options.memory);
    this.#podEnds = new PodEndShapes(options.ground.podPrefix);
    this.#changes = new RulesetChanges(options.watcher?.names);
    this.#schedule = new LookSchedule(options.clock());
  }

  /**
   * Makes all of it, and watches from then on. First the rules, so that no packet leaves in clear before the routes; those
   * that stand as the weftd before has set them are left alone. Rejects as {@link KeptRules.begin} and {@link repairHost} do, and
   * nothing is watched then.
   */
  async start(): Promise<void> {
    const { kernel } = this.#options;
    // Before anything is read: what changes meanwhile comes as an event.
    this.#watch();
    try {
      await this.#rules.begin();
      this.#rulesDueAt = after(this.#options.clock(), SLOW_LOOK_MS);
      await repairHost(kernel, this.#ground);
      this.#tunIndex = (await kernel.client.link(this.#ground.tun))?.index;
    } catch (error) {
      this.close();
      throw error;
    }
    this.#started = true;
    this.#stir();
  }

  /** The ring has dealt the node these overlay addresses, IPv4 first. Resolves when the interface has them. */
  async setAddresses(addresses: readonly Address[]): Promise<void> {
    this.#ground = { ...this.#ground, addresses };
    await this.#inTurn(() => repairHost(this.#options.kernel, this.#ground, this.#tunIndex));
  }

  /** MTU of the TUN interface, bytes, from now on. Resolves when the interface has it. */
  async setMtu(mtu: number): Promise<void> {
    this.#ground = { ...this.#ground, mtu };
    await this.#inTurn(() => repairHost(this.#options.kernel, this.#ground, this.#tunIndex));
  }

  /** Where the tunnels of peers end, from now on: pods do not get there. Where that cannot be set it is tried again. */
  async setPeers(peers: readonly Endpoint[]): Promise<void> {
    await this.#inTurn(async () => {
      try {
        await this.#rules.setPeers(peers);
      } catch {
        this.#rulesStirred = true;
        this.#stir();
      }
    });
  }

  /** From now on pods are looked at too. */
  holdPods(pods: PodGround): void {
    this.#pods = pods;
  }

  /** A warning for each thing that is not as it should be. */
  warnings(): Warning[] {
    const contests = this.#schedule.contests(this.#options.clock());
    return [
      ...contests.map(({ found, repairs, sinceMs, by }) => {
        const who = by === undefined ? 'another program' : `the program ${by}`;
        const minutes = Math.max(1, Math.round(sinceMs / 60_000));
        return warningOf(GROUND_WARNINGS, 'W_REPAIR_UNDONE', { found, who, repairs, minutes });
      }),
      ...this.#masks,
      ...this.#forwardDrops,
      ...this.#legacyDrops,
      ...(this.#fault === undefined ? [] : [warningOfFault(this.#fault)]),
    ];
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const events of this.#events.splice(0)) events.close();
  }

  // -- events ---------------------------------------------------------------------------------------------------

  #watch(): void {
    const { counters, listener, watcher, listen = KernelEvents.of } = this.#options;
    const onLost = (): void => {
      counters.add('ground.eventsLost');
      this.#changes.lost();
      this.#rulesStirred = true;
      this.#othersStirred = true;
      listener.underlayStirred();
      watcher?.lost();
      this.#stir();
    };
    const onFault = (error: unknown): void => {
      counters.add('ground.eventsEnded');
      listener.failed(new Error('the kernel tells of changes no more; it is asked again', { cause: error }));
    };
    this.#events.push(
      listen(NETLINK_ROUTE, GROUPS, {
        onDatagrams: (datagrams) => this.#routeEvents(datagrams),
        onLost,
        onFault,
      }),
      listen(NETLINK_NETFILTER, [NFNLGRP_NFTABLES], {
        onDatagrams: (datagrams) => {
          for (const datagram of datagrams) {
            const changes = this.#changes.receive(datagram);
            watcher?.changed(changes);
            this.#rulesetChanged(changes);
          }
        },
        onLost,
        onFault,
      }),
    );
  }

  #routeEvents(datagrams: readonly Uint8Array[]): void {
    const known = { tunIndex: this.#tunIndex, podEnds: this.#podEnds };
    const concerns = new Set(
      datagrams
        .flatMap((datagram) => parseRouteEvents(datagram))
        .map((event) => concernOf(event, this.#ground, known)),
    );
    if (concerns.has('underlay')) this.#options.listener.underlayStirred();
    if (concerns.has('host') || concerns.has('pods')) this.#stir();
  }

  #rulesetChanged(changes: readonly RulesetChange[]): void {
    // Others change theirs all the time on some hosts: that waits for the next look, which comes once a minute.
    if (changes.length > 0) this.#othersStirred = true;
    const ours = changes.filter(concernsRules);
    if (ours.length === 0) return;
    this.#rulesStirred = true;
    this.#rulesBy = ours.at(-1)!.program;
    this.#stir();
  }

  #stir(): void {
    this.#schedule.stirred(this.#options.clock());
    this.#arm();
  }

  // -- looks ----------------------------------------------------------------------------------------------------

  #arm(): void {
    // What is made at the start is nobody's change.
    if (!this.#started || this.#closed) return;
    clearTimeout(this.#timer);
    const waitMs = Math.max(0, this.#schedule.nextLook - this.#options.clock());
    this.#timer = setTimeout(() => void this.#look(), Math.min(Math.ceil(waitMs), MAX_SLEEP_MS));
  }

  async #look(): Promise<void> {
    const { clock, counters, listener } = this.#options;
    this.#schedule.begin();
    const found: Repaired[] = [];
    let fault: unknown;
    // What one part meets does not keep the others from being put right.
    for (const part of [this.#repairRules, this.#repairHost, this.#repairPods, this.#lookAround]) {
      if (this.#closed) return;
      try {
        found.push(...(await this.#inTurn(part)));
      } catch (error) {
        fault ??= error;
      }
    }
    if (this.#closed) return;
    for (const what of found) {
      counters.add(COUNTER_BY_REPAIR[what.kind]);
      listener.repaired(what);
    }
    this.#schedule.looked(clock(), found, { failed: fault !== undefined });
    if (fault !== undefined) {
      counters.add('ground.lookFailed');
      listener.failed(fault);
      if (fault instanceof WeftError && fault.code === 'E_TUN') listener.tunGone(fault);
    }
    this.#fault = fault;
    this.#arm();
  }

  readonly #repairRules = async (): Promise<Repaired[]> => {
    const { clock } = this.#options;
    if (!this.#rulesStirred && clock() < this.#rulesDueAt) return [];
    const by = this.#rulesStirred ? this.#rulesBy : undefined;
    this.#rulesStirred = false;
    this.#rulesDueAt = after(clock(), SLOW_LOOK_MS);
    try {
      if (!(await this.#rules.mend())) return [];
      return [
        { kind: 'rules', found: 'the packet rules (nftables table inet weft) were changed or removed', by },
      ];
    } catch (error) {
      this.#rulesStirred = true;
      throw error;
    }
  };

  readonly #repairHost = async (): Promise<readonly Repaired[]> =>
    repairHost(this.#options.kernel, this.#ground, this.#tunIndex);

  readonly #repairPods = async (): Promise<readonly Repaired[]> => (await this.#pods?.mend()) ?? [];

  /** What is others' is only told. */
  readonly #lookAround = async (): Promise<readonly Repaired[]> => {
    const { kernel, listener, clock } = this.#options;
    const told = (now: readonly Warning[], before: readonly Warning[]): readonly Warning[] => {
      for (const warning of newOf(now, before)) listener.hindered(warning);
      return now;
    };
    const masks = await readMasks(kernel.client, this.#ground);
    this.#masks = told([...masks, ...(await readDeafLinks(kernel, this.#ground))], this.#masks);
    if (this.#othersStirred) {
      this.#othersStirred = false;
      this.#forwardDrops = told(await readForwardHindrances(this.#ground), this.#forwardDrops);
    }
    if (clock() >= this.#legacyDueAt) {
      this.#legacyDueAt = after(clock(), SLOW_LOOK_MS);
      const { drops } = await readLegacyHindrances(this.#ground);
      this.#legacyDrops = told(drops, this.#legacyDrops);
    }
    return [];
  };

  /** One at a time: two that repair the same would each find the other's half. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

function warningOfFault(error: unknown): Warning {
  if (error instanceof WeftError) return warningOfError(error);
  const fault = error instanceof Error ? error.message : String(error);
  return warningOf(GROUND_WARNINGS, 'E_HOST_NETWORK', { fault });
}

/** Those of `warnings` that say what none of `before` said. */
function newOf(warnings: readonly Warning[], before: readonly Warning[]): Warning[] {
  const known = new Set(before.map(warningLine));
  return warnings.filter((warning) => !known.has(warningLine(warning)));
}
