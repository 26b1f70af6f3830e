import { concat } from '../../base/bytes.ts';
import type { PeerId } from '../../base/peer-id.ts';
import { generateIdentity, type Identity, sign } from '../../crypto/identity.ts';
import { logVersion, type SignedRecord, SLOTS, signedBytes } from '../../gossip/model/record.ts';
import { encodeFrame, type Frame } from '../../gossip/records/frame.ts';
import { encodeSwimPacket } from '../../gossip/swim/swim-packet.ts';
import { appendToLog, decodeRingLog } from '../../ipam/ring/ring-log.ts';
import type { Datapath } from '../../router/datapath/datapath.ts';
import type { Sleeve } from '../../router/datapath/sleeve/sleeve.ts';
import { ControlLink, LINK_FRAME_MAX } from '../../router/link/control-link.ts';
import { podFrame } from './pod-packets.ts';
import type { Simulation } from './simulation.ts';
import type { Host } from './virtual-network.ts';
import type { VirtualNode } from './virtual-node.ts';

/** Who does harm to a cluster, one thing at a time. */
export interface Attacker {
  /** Does one harmful thing; its name. */
  strike(): string;
}

/** Pieces of traffic that an outsider remembers. */
const MEMORY = 256;
const MAX_GARBAGE = 2_000;
/** Virtual time that a hostile connection stays up. */
const LINK_MS = 3_000;
/** After so many hostile connections the member comes under another identity, for the first is shut out by then. */
const LINKS_AN_IDENTITY = 5;
/** Records of old that are remembered for a replay. */
const MAX_HISTORY = 500;

/**
 * Somebody on the underlay without the secret: sees everything, and can put anything on the wire under any source;
 * and connects to anybody.
 */
export class Outsider implements Attacker {
  readonly #sim: Simulation;
  readonly #host: Host;
  readonly #datagrams: Uint8Array[] = [];
  readonly #streams: Uint8Array[] = [];

  constructor(sim: Simulation) {
    this.#sim = sim;
    this.#host = sim.network.attach();
    sim.invariants.onWire = (bytes, datagram) => {
      const memory = datagram ? this.#datagrams : this.#streams;
      if (memory.length < MEMORY) memory.push(bytes.slice());
      else memory[sim.network.below(MEMORY)] = bytes.slice();
    };
  }

  strike(): string {
    const { network } = this.#sim;
    const target = this.#sim.pick(this.#sim.nodes)!.host;
    switch (network.below(5)) {
      case 0:
        this.#inject(target, this.#garbage());
        return 'garbageDatagram';
      case 1:
        this.#inject(target, this.#sim.pick(this.#datagrams) ?? this.#garbage());
        return 'replayedDatagram';
      case 2:
        this.#inject(target, damaged(this.#sim, this.#sim.pick(this.#datagrams) ?? this.#garbage()));
        return 'damagedDatagram';
      case 3:
        this.#connect(target, this.#garbage(), true);
        return 'garbageStream';
      default:
        // The first message of a handshake, said again, is answered: without memory nobody can tell it from the
        // first time. The listener learns what it knew, that somebody speaks Weft there, and gets no further.
        this.#connect(target, this.#sim.pick(this.#streams) ?? this.#garbage(), false);
        return 'replayedStream';
    }
  }

  #inject(target: Host, bytes: Uint8Array): void {
    const { network } = this.#sim;
    for (let i = 1 + network.below(4); i > 0; i--)
      network.inject(
        this.#sim.pick(network.hosts)!.mapped,
        network.chance(0.5) ? target.mapped : target.published,
        bytes,
      );
  }

  #connect(target: Host, bytes: Uint8Array, silent: boolean): void {
    const end = this.#sim.tcp.dial(this.#host, target.published, {
      connected: () => end.write(bytes),
      received: (answer) => {
        if (silent) this.#sim.invariants.fail(`a stranger was answered with ${answer.length} bytes`);
      },
      closed: () => {},
    });
    this.#sim.queue.in(LINK_MS, () => end.close());
  }

  #garbage(): Uint8Array {
    const bytes = this.#sim.network.random.bytes(this.#sim.network.below(MAX_GARBAGE));
    if (bytes.length > 0 && this.#sim.network.chance(0.7))
      bytes.set([1 + this.#sim.network.below(5), 0, 0, 0].slice(0, bytes.length));
    return bytes;
  }
}

/**
 * A node that knows the secret and is a member, and lies: in its own records, in hearsay, with forged and old records
 * of others, with packets from addresses that are not its own, and with bytes that are no frame at all.
 *
 * Its node is not among those that have to agree; the others have to agree in spite of it.
 */
export class Insider implements Attacker {
  readonly node: VirtualNode;
  readonly #sim: Simulation;
  readonly #host: Host;
  readonly #history: SignedRecord[] = [];
  #sleeve: Sleeve | undefined;
  #identity: Identity;
  #links = 0;

  /** Joins by the first node of `sim`; is to be started by the caller. */
  constructor(sim: Simulation) {
    this.#sim = sim;
    this.node = sim.add({
      tamper: (datapath: Datapath) => {
        this.#sleeve = datapath as Sleeve;
        return datapath;
      },
    });
    this.#host = sim.network.attach();
    this.#identity = generateIdentity(sim.network.random);
    sim.invariants.listen((node, out) => {
      if (node !== this.node || out.type !== 'keepRecord') return;
      if (this.#history.length < MAX_HISTORY) this.#history.push(out.record);
    });
  }

  get #victims(): VirtualNode[] {
    return this.#sim.nodes.filter((node) => node !== this.node);
  }

  strike(): string {
    const { network } = this.#sim;
    const victim = this.#sim.pick(this.#victims)!;
    switch (network.below(8)) {
      case 0:
        this.#speak(victim, () => [this.#forgedRecords()]);
        return 'forgedRecords';
      case 1:
        this.#speak(victim, () => [this.#oldRecords()]);
        return 'oldRecords';
      case 2:
        this.#speak(victim, () => [this.#falseRumours()]);
        return 'falseRumours';
      case 3:
        this.#speakBytes(victim, () => [this.#randomFrame()]);
        return 'garbageFrame';
      case 4:
        this.#grantForeignRange(victim);
        return 'foreignGrant';
      case 5:
        this.#sendForeignSource(victim);
        return 'foreignSource';
      case 6:
        this.#sendGarbageControl(victim);
        return 'garbageControl';
      default:
        this.#accuse(victim);
        return 'accusation';
    }
  }

  // ── over a link of its own making ──

  #speak(victim: VirtualNode, frames: () => readonly Frame[]): void {
    this.#speakBytes(victim, () => frames().map(encodeFrame));
  }

  /** Opens a link with the true handshake and says `frames`. */
  #speakBytes(victim: VirtualNode, frames: () => readonly Uint8Array[]): void {
    const { network, queue, tcp, clusterKeys } = this.#sim;
    if (++this.#links % LINKS_AN_IDENTITY === 0) this.#identity = generateIdentity(network.random);
    const link = new ControlLink({
      initiator: true,
      identity: this.#identity,
      clusterKeys,
      bootEpoch: 1,
      random: network.random,
      now: queue.now,
    });
    const end = tcp.dial(this.#host, victim.host.published, {
      connected: () => end.write(link.start()),
      received: (bytes) => {
        const progress = link.receive(bytes, queue.now);
        if (!progress.ok) return;
        if (progress.value.send.length > 0) end.write(progress.value.send);
        if (progress.value.opened === undefined) return;
        for (const frame of frames()) {
          const sealed = link.send(frame);
          if (sealed !== undefined) end.write(sealed);
        }
      },
      closed: () => {},
    });
    queue.in(LINK_MS, () => end.close());
  }

  #forgedRecords(): Frame {
    const { network, clusterKeys } = this.#sim;
    const core = this.node.core;
    const records = this.#victims.flatMap(({ peer }): SignedRecord[] => {
      const slot = this.#sim.pick(SLOTS)!;
      const held = core?.gossip.record(peer, slot);
      if (held === undefined) return [];
      const kept = network.chance(0.4); // the old signature over new words, the same words in a log
      const payload = kept
        ? held.payload
        : network.chance(0.5)
          ? damaged(this.#sim, held.payload)
          : network.random.bytes(64);
      const newer = { epoch: held.epoch + network.below(3), sequence: held.sequence + 1 + network.below(9) };
      const forged = { ...held, ...(slot === 'ring' ? logVersion(payload) : newer), payload };
      if (kept) return [forged];
      return [{ ...forged, signature: sign(this.#identity, signedBytes(clusterKeys.clusterId, forged)) }];
    });
    return { kind: 'records', records: records.map((record) => ({ record, state: 'alive' })) };
  }

  #oldRecords(): Frame {
    const records = this.#sim.sample(this.#history, 20);
    return { kind: 'records', records: records.map((record) => ({ record, state: 'dead' })) };
  }

  #falseRumours(): Frame {
    const rumours = this.#victims.flatMap(({ peer }) => {
      const held = this.node.core?.gossip.record(peer, 'node');
      if (held === undefined) return [];
      const state = this.#sim.network.chance(0.5) ? ('dead' as const) : ('suspect' as const);
      return [{ subject: peer, state, accuser: this.#randomAccuser(), version: held }];
    });
    return { kind: 'rumours', rumours };
  }

  #randomFrame(): Uint8Array {
    const { network } = this.#sim;
    if (network.chance(0.2)) return network.random.bytes(LINK_FRAME_MAX);
    return concat(Uint8Array.of(1, 1 + network.below(9)), network.random.bytes(network.below(MAX_GARBAGE)));
  }

  // ── as the member that it is ──

  /** Signs a grant of what the victim owns to itself, in its own log. */
  #grantForeignRange(victim: VirtualNode): void {
    this.node.do((core, now) => {
      const held = core.gossip.record(this.node.peer, 'ring');
      const log = held && decodeRingLog(held.payload);
      const range = core.ipam.rangesOf(victim.peer)[0];
      if (!log?.ok || range === undefined) return;
      const { family, start } = range;
      const block = { family, start, end: start + 1n };
      const entry = {
        kind: 'grant',
        range: block,
        to: this.node.peer,
        version: 1 + this.#sim.network.below(9),
      } as const;
      const lie = appendToLog(log.value, [entry]);
      if (lie !== undefined) core.gossip.publish('ring', lie.bytes, now);
    });
  }

  /** A packet to `victim` from an address of a third node, and one from its own to an address of a third. */
  #sendForeignSource(victim: VirtualNode): void {
    const third = this.#sim.pick(this.#victims.filter((node) => node !== victim));
    const { invariants } = this.#sim;
    this.node.do((core, now) => {
      const source = third?.core?.ownAddresses[0];
      const destination = victim.core?.ownAddresses[0];
      const sleeve = this.#sleeve;
      if (source === undefined || destination === undefined || sleeve === undefined) return;
      const truth = core.ipam.owners();
      // To get it past its own datapath, which is honest, it makes it believe that all but the victim's is its own.
      const lie = (kept: PeerId): void =>
        sleeve.setRoutes(
          truth.map((route) => (route.owner === kept ? route : { ...route, owner: this.node.peer })),
        );
      lie(victim.peer);
      const id = invariants.sending(this.node, source, destination, true);
      sleeve.handleTunPacket(podFrame(source, destination, invariants.canary, id), now);
      const own = core.ownAddresses[0];
      if (own !== undefined) {
        // What is not the victim's, sent to the victim: it would have to pass it on. Where no session with the victim
        // stands, the packet waits and goes by the true routes in the end, so it is no forgery, but must not come out
        // at the victim.
        sleeve.setRoutes(
          truth.map((route) => ({
            ...route,
            owner: route.owner === this.node.peer ? route.owner : victim.peer,
          })),
        );
        const stray = invariants.sending(this.node, own, source);
        sleeve.handleTunPacket(podFrame(own, source, invariants.canary, stray), now);
      }
      sleeve.setRoutes(truth);
    });
  }

  #sendGarbageControl(victim: VirtualNode): void {
    const { network } = this.#sim;
    this.node.do(() => {
      const bytes = network.random.bytes(network.below(1_100));
      if (bytes.length > 0) bytes[0] = network.below(8);
      this.#sleeve?.sendControl(victim.peer, bytes);
    });
  }

  /** Over the tunnel: everybody is dead. */
  #accuse(victim: VirtualNode): void {
    this.node.do((core, now) => {
      const rumours = this.#victims.slice(0, 6).flatMap(({ peer }) => {
        const held = core.gossip.record(peer, 'node');
        const accuser = this.#randomAccuser();
        return held === undefined ? [] : [{ subject: peer, state: 'dead' as const, accuser, version: held }];
      });
      const packet = encodeSwimPacket({ kind: 'ping', number: 1, rumours });
      core.tunnels.sendControl(victim.peer, 1, packet, now);
    });
  }

  #randomAccuser(): string {
    return [...this.#sim.network.random.bytes(8)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}

/** `bytes` with one of them changed, or the end cut off, or some more behind. */
function damaged(sim: Simulation, bytes: Uint8Array): Uint8Array {
  const { network } = sim;
  if (bytes.length === 0) return network.random.bytes(1);
  switch (network.below(3)) {
    case 0: {
      const out = bytes.slice();
      const at = network.below(out.length);
      out[at] = out[at]! ^ (1 + network.below(255));
      return out;
    }
    case 1:
      return bytes.slice(0, network.below(bytes.length));
    default:
      return concat(bytes, network.random.bytes(1 + network.below(40)));
  }
}
