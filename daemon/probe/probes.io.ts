import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Address, formatAddress, parseAddress, sameAddress } from '../../base/address.ts';
import { hex, readU32BE } from '../../base/bytes.ts';
import type { Counters } from '../../base/counters.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { printable } from '../../base/printable.ts';
import { WeftError } from '../../base/weft-error.ts';
import { hostLinkName } from '../../cni/host-link-name.ts';
import type { FarSightings, ProbeRequest, ProbeResult, Sightings } from '../../control/probe-request.ts';
import { clock } from '../../host/clock.io.ts';
import { NODE_KEY } from '../../ipam/model/types.ts';
import { isNetlinkError } from '../../linux/netlink-request.ts';
import { readDecided } from '../../linux/policy-gate.io.ts';
import type { Sysctl } from '../../linux/sysctl.io.ts';
import { isSystemError } from '../../native/addon.ts';
import { CHANNELS } from '../../node/node-messages.ts';
import type { WeftNode } from '../../node/weft-node.ts';
import { markOf, type ProbeFlow } from '../../why/probe/probe-flow.ts';
import { probePacket } from '../../why/probe/probe-packet.ts';
import { ProbeSender } from '../../why/probe/probe-sender.io.ts';
import { ProbeWatch, readLinks } from '../../why/probe/probe-watch.io.ts';
import type { ProbeCounter } from './probe-counters.ts';
import { decodeProbeMessage, encodeProbeMessage, type ProbeMessage } from './probe-message.ts';

/** Packets that are sent where none is answered, and how long each is waited for. */
const ATTEMPTS = 3;
const ANSWER_MS = 400;
/** After an answer: what the stations on its way back have to say. */
const SETTLE_MS = 50;
/** A peer is asked so often, so far apart. */
const ASKS = 12;
const ASK_EVERY_MS = 150;
/** Probes of peers that are watched for at once, and for how long each. */
const MAX_WATCHED = 4;
const WATCH_MS = 5_000;

/** Probes that this node sends for `weft why`, and those of peers that it watches for. */
export class Probes {
  readonly #node: WeftNode;
  readonly #wake: () => void;
  readonly #sysctl: Sysctl;
  readonly #counters: Counters<ProbeCounter>;
  readonly #watchedById = new Map<string, Watched>();
  readonly #waiting = new Map<string, (message: ProbeMessage) => void>();

  constructor(options: {
    readonly node: WeftNode;
    /** Something was put into the node. */
    readonly wake: () => void;
    readonly sysctl: Sysctl;
    readonly counters: Counters<ProbeCounter>;
  }) {
    this.#node = options.node;
    this.#wake = options.wake;
    this.#sysctl = options.sysctl;
    this.#counters = options.counters;
  }

  /**
   * Sends a packet as the pod with the address `source` would, and tells where it and its answer were seen. Throws
   * E_NO_POD where no pod of this node has that address, E_NO_PROBE where this host cannot do it.
   */
  async probe(request: ProbeRequest): Promise<Omit<ProbeResult, 'dropped'>> {
    const { source, target } = addressesOf(request);
    const link = await this.#linkOf(source);
    const { protocol, port, bytes } = request;
    const flow: ProbeFlow = { protocol, source, target, port, mark: markOf(randomBytes(2)) };
    const id = hex(randomBytes(4));
    const owner = this.#node.ipam.ownerOf(target);
    const peer = owner === this.#node.peer ? undefined : owner;
    const farWatches = peer === undefined ? false : await this.#askToWatch(peer, id, flow);
    const near = await this.#send(id, flow, link, bytes);
    if (peer === undefined) return near;
    const far = farWatches ? await this.#askWhatWasSeen(peer, id) : null;
    this.#say(peer, { say: 'done', id });
    return { ...near, far };
  }

  /** A peer said something about a probe. */
  handleMessage(from: PeerId, bytes: Uint8Array): void {
    const message = decodeProbeMessage(bytes);
    if (message === undefined) this.#counters.add('probe.malformed');
    else if (message.say === 'watch') void this.#watch(from, message.id, message.flow);
    else if (message.say === 'ask') void this.#tell(from, message.id);
    else if (message.say === 'done') this.#done(from, message.id);
    else this.#waiting.get(`${from} ${message.id}`)?.(message);
  }

  close(): void {
    for (const [id] of this.#watchedById) this.#forget(id);
  }

  async #send(
    id: string,
    flow: ProbeFlow,
    link: number,
    bytes: number,
  ): Promise<Omit<ProbeResult, 'dropped' | 'far'>> {
    let watch: ProbeWatch | undefined;
    let sender: ProbeSender | undefined;
    try {
      let woken = Promise.withResolvers<void>();
      watch = await ProbeWatch.open(id, flow, () => woken.resolve());
      sender = await ProbeSender.open(id, link);
      const links = await readLinks();
      const sequence = readU32BE(randomBytes(4), 0);
      for (let sent = 1; ; sent++) {
        const startedAt = performance.now();
        if (!sender.send(probePacket(flow, sequence, bytes))) throw noProbe('the kernel took no packet');
        for (;;) {
          const left = ANSWER_MS - (performance.now() - startedAt);
          if (left <= 0 || isAnswered(watch.sightings(links))) break;
          woken = Promise.withResolvers<void>();
          await Promise.race([woken.promise, delay(left)]);
        }
        const answeredMs = isAnswered(watch.sightings(links)) ? performance.now() - startedAt : null;
        if (answeredMs === null && sent < ATTEMPTS) continue;
        await delay(SETTLE_MS);
        return { sent, near: watch.sightings(links), answeredMs };
      }
    } catch (error) {
      throw isSystemError(error) || isNetlinkError(error) ? noProbe(error.message, error) : error;
    } finally {
      sender?.close();
      await watch?.close();
    }
  }

  /** False where the peer does not. */
  async #askToWatch(peer: PeerId, id: string, flow: ProbeFlow): Promise<boolean> {
    const answer = await this.#ask(peer, { say: 'watch', id, flow });
    return answer?.say === 'watching';
  }

  async #askWhatWasSeen(peer: PeerId, id: string): Promise<FarSightings | null> {
    const answer = await this.#ask(peer, { say: 'ask', id });
    return answer?.say === 'told' ? answer.saw : null;
  }

  /** Repeats a question until it is answered; undefined where it is not. */
  async #ask(peer: PeerId, question: ProbeMessage): Promise<ProbeMessage | undefined> {
    const key = `${peer} ${question.id}`;
    const answered = Promise.withResolvers<ProbeMessage>();
    this.#waiting.set(key, answered.resolve);
    try {
      for (let asked = 0; asked < ASKS; asked++) {
        this.#say(peer, question);
        const answer = await Promise.race([answered.promise, delay(ASK_EVERY_MS, undefined)]);
        if (answer !== undefined) return answer;
      }
      return undefined;
    } finally {
      this.#waiting.delete(key);
    }
  }

  #say(peer: PeerId, message: ProbeMessage): void {
    this.#node.tunnels.sendControl(peer, CHANNELS.probes, encodeProbeMessage(message), clock());
    this.#wake();
  }

  /** Watches for a probe that a peer announces, from an address of its own to one of ours. */
  async #watch(from: PeerId, id: string, flow: ProbeFlow): Promise<void> {
    const { ipam, peer } = this.#node;
    const known = this.#watchedById.get(id);
    if (known !== undefined) {
      if (known.from === from && known.watch !== undefined) this.#say(from, { say: 'watching', id });
      return;
    }
    const isTheirs = ipam.ownerOf(flow.source) === from && ipam.ownerOf(flow.target) === peer;
    if (!isTheirs || this.#watchedById.size >= MAX_WATCHED) {
      this.#counters.add('probe.refused');
      this.#say(from, { say: 'refused', id });
      return;
    }
    const watched: Watched = { from, flow, watch: undefined, timer: undefined };
    this.#watchedById.set(id, watched);
    try {
      watched.watch = await ProbeWatch.open(id, flow);
      watched.timer = setTimeout(() => this.#forget(id), WATCH_MS).unref();
      this.#say(from, { say: 'watching', id });
    } catch {
      this.#watchedById.delete(id);
      this.#counters.add('probe.refused');
      this.#say(from, { say: 'refused', id });
    }
  }

  async #tell(from: PeerId, id: string): Promise<void> {
    const watched = this.#watchedById.get(id);
    if (watched?.from !== from || watched.watch === undefined) return;
    const { target } = watched.flow;
    const allocation = this.#allocationOf(target);
    const isNode = this.#node.ownAddresses.some((each) => sameAddress(each, target));
    const [links, decided] = await Promise.all([readLinks(), readDecided()]);
    const isPod = allocation !== undefined && !isNode;
    const open = isPod && decided?.has(hostLinkName(allocation)) === true;
    const forwarding = this.#sysctl.read(
      target.family === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding',
    );
    const saw: FarSightings = {
      ...watched.watch.sightings(links),
      target: isNode ? 'node' : isPod ? 'pod' : 'nobody',
      gate: decided === undefined || !isPod ? null : open ? 'open' : 'closed',
      forwards: forwarding === undefined ? null : forwarding === '1',
    };
    this.#say(from, { say: 'told', id, saw });
  }

  #done(from: PeerId, id: string): void {
    const watched = this.#watchedById.get(id);
    if (watched?.from === from && watched.watch !== undefined) this.#forget(id);
  }

  #forget(id: string): void {
    const watched = this.#watchedById.get(id);
    this.#watchedById.delete(id);
    clearTimeout(watched?.timer);
    void watched?.watch?.close().catch(() => undefined);
  }

  #allocationOf(address: Address): ReturnType<WeftNode['ipam']['allocations']>[number]['key'] | undefined {
    return this.#node.ipam
      .allocations()
      .find(({ addresses }) => addresses.some((each: Address) => sameAddress(each, address)))?.key;
  }

  /** Index of the interface of the pod with that address. */
  async #linkOf(address: Address): Promise<number> {
    const key = this.#allocationOf(address);
    const name = key === undefined || key.containerId === NODE_KEY.containerId ? '' : hostLinkName(key);
    const link = (await readLinks()).find((each) => each.name === name);
    if (link !== undefined) return link.index;
    const message = `no pod of this node sends from ${formatAddress(address)}`;
    throw new WeftError('E_NO_POD', message, "see 'weft ipam' for the addresses of its pods");
  }
}

/** A probe of a peer that is watched for. */
interface Watched {
  readonly from: PeerId;
  readonly flow: ProbeFlow;
  /** Undefined while it is being opened. */
  watch: ProbeWatch | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** An answer has come back to the pod's node. */
function isAnswered({ seen }: Sightings): boolean {
  return seen.some(({ says }) => says !== undefined);
}

function addressesOf({ source, target }: ProbeRequest): {
  readonly source: Address;
  readonly target: Address;
} {
  const [from, to] = [parseAddress(source), parseAddress(target)];
  if (from !== undefined && to !== undefined && from.family === to.family)
    return { source: from, target: to };
  const message = `${printable(source)} and ${printable(target)} are no two addresses of one family`;
  throw new WeftError('E_BAD_PROBE', message, 'give two IPv4 or two IPv6 addresses');
}

function noProbe(why: string, cause?: unknown): WeftError {
  const remedy = 'see that the kernel has tun, sch_ingress, cls_u32, act_mirred and nf_tables (modprobe)';
  return new WeftError('E_NO_PROBE', `no packet can be sent as a pod here: ${why}`, remedy, { cause });
}
