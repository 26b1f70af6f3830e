import { createHash, type Hash } from 'node:crypto';
import { type Address, formatAddress } from '../../base/address.ts';
import { hex } from '../../base/bytes.ts';
import type { Endpoint } from '../../base/endpoint.ts';
import { type PeerId, shortPeerId } from '../../base/peer-id.ts';
import type { NodeOutput } from '../../node/node-types.ts';
import type { EventQueue } from './event-queue.ts';
import { readPodFrame } from './pod-packets.ts';
import type { Tap } from './virtual-network.ts';
import type { NodeWatch, VirtualNode } from './virtual-node.ts';

/** Something was that must never be. `message` says what, in one line, and when. */
export class Violation extends Error {
  override name = 'Violation';
}

/** A packet that a pod sent, or, forged, somebody who had no right to. */
interface Sent {
  readonly sender: string;
  readonly forged: boolean;
  readonly source: string;
  readonly destination: string;
  delivered: boolean;
}

/** The end of a stream that is kept, so that a secret cut in two by writes is found too. */
const TAIL_BYTES = 128;

/**
 * What must hold at every step, whatever happens to the network and whoever lies. Throws a {@link Violation} from
 * within the step that broke it.
 *
 *  1. No address is allocated twice: not by two nodes that run, not by one that runs and one that is down and has it
 *     on its disk, nor had it on a disk that was lost. Once a peer was removed by agreement its disk counts no more.
 *  2. A record that a node accepts was published by its origin.
 *  3. A packet comes out of a tunnel at most once, intact, at the node that holds its destination, and was sent by a
 *     node that holds its source.
 *  4. No canary, no name of a node and no key of the cluster is on the wire.
 *  5. A pod that was answered keeps its addresses until it is deleted or its host boots anew.
 *
 * It also digests all that goes over the wire, so that two runs of a seed can be compared.
 */
export class Invariants implements NodeWatch, Tap {
  readonly canary: Uint8Array;
  readonly #queue: EventQueue;
  readonly #secrets: readonly { readonly what: string; readonly bytes: Buffer }[];
  readonly #holderByAddress = new Map<string, { readonly peer: PeerId; readonly name: string }>();
  readonly #addressesByPeer = new Map<PeerId, readonly string[]>();
  readonly #removed = new Set<PeerId>();
  readonly #published = new Set<string>();
  readonly #sentById = new Map<number, Sent>();
  readonly #tailByStream = new Map<string, Buffer>();
  readonly #trace: Hash = createHash('sha256');
  readonly #listeners: ((node: VirtualNode, out: NodeOutput) => void)[] = [];
  readonly count = { wireBytes: 0, datagrams: 0, streamBytes: 0, delivered: 0, allocated: 0, records: 0 };
  /** Sees each datagram and each write to a stream, as somebody on the underlay does. */
  onWire: ((bytes: Uint8Array, datagram: boolean) => void) | undefined;

  /** `secrets`: what else must not be on the wire, with a name for each. */
  constructor(
    queue: EventQueue,
    canary: Uint8Array,
    secrets: readonly { readonly what: string; readonly bytes: Uint8Array }[],
  ) {
    this.#queue = queue;
    this.canary = canary;
    this.#secrets = [{ what: 'the canary', bytes: canary }, ...secrets].map(({ what, bytes }) => ({
      what,
      bytes: Buffer.from(bytes),
    }));
  }

  /** A digest of everything that has gone over the wire, and when. */
  get trace(): string {
    return this.#trace.copy().digest('hex');
  }

  listen(listener: (node: VirtualNode, out: NodeOutput) => void): void {
    this.#listeners.push(listener);
  }

  fail(what: string): never {
    throw new Violation(`at ${(this.#queue.now / 1000).toFixed(3)} s: ${what}`);
  }

  // ── records and addresses ──

  output(node: VirtualNode, out: NodeOutput): void {
    if (out.type === 'keepRecord') {
      this.count.records++;
      const { origin, signature, slot } = out.record;
      if (origin === node.peer) this.publish(signature);
      else if (!this.#published.has(hex(signature)))
        this.fail(`${node.name} accepted a ${slot} record that ${shortPeerId(origin)} never published`);
    } else if (out.type === 'allocated') this.count.allocated++;
    else if (out.type === 'removed') this.#remove(out.peer);
    for (const listener of this.#listeners) listener(node, out);
  }

  /** The origin itself has signed this. */
  publish(signature: Uint8Array): void {
    this.#published.add(hex(signature));
  }

  allocationsChanged(node: VirtualNode): void {
    const { core } = node;
    if (core === undefined || this.#removed.has(node.peer)) return;
    const addresses = core.ipam
      .allocations()
      .flatMap((allocation) => allocation.addresses.map(formatAddress));
    for (const address of this.#addressesByPeer.get(node.peer) ?? []) this.#holderByAddress.delete(address);
    for (const address of addresses) {
      const other = this.#holderByAddress.get(address);
      if (other !== undefined)
        this.fail(
          `${address} is allocated by ${node.name} and by ${other.name} (${shortPeerId(other.peer)})`,
        );
      this.#holderByAddress.set(address, { peer: node.peer, name: node.name });
    }
    this.#addressesByPeer.set(node.peer, addresses);
  }

  /** What a node that has just started finds on its disk. */
  restarted(node: VirtualNode): void {
    const { core } = node;
    if (core === undefined) return;
    for (const [containerId, addresses] of node.podByContainer) {
      const kept = core.ipam.allocation({ containerId, ifname: 'eth0' })?.addresses.map(formatAddress).join();
      const had = addresses.map(formatAddress).join();
      if (kept !== had)
        this.fail(`${node.name} forgot ${containerId}: it had ${had}, now ${kept ?? 'nothing'}`);
    }
  }

  /** Removed by agreement: what it holds is its heir's. */
  #remove(peer: PeerId): void {
    this.#removed.add(peer);
    for (const address of this.#addressesByPeer.get(peer) ?? []) this.#holderByAddress.delete(address);
    this.#addressesByPeer.delete(peer);
  }

  // ── packets ──

  /** Notes a packet before it is sent; its number goes into the packet. */
  sending(sender: VirtualNode, source: Address, destination: Address, forged = false): number {
    const id = this.#sentById.size + 1;
    this.#sentById.set(id, {
      sender: sender.name,
      forged,
      source: formatAddress(source),
      destination: formatAddress(destination),
      delivered: false,
    });
    return id;
  }

  hasArrived(id: number): boolean {
    return this.#sentById.get(id)?.delivered ?? false;
  }

  delivered(node: VirtualNode, frame: Uint8Array): void {
    const packet = readPodFrame(frame, this.canary);
    if (packet === undefined) return; // an ICMP error, made by the datapath
    this.count.delivered++;
    const [source, destination] = [formatAddress(packet.source), formatAddress(packet.destination)];
    const what = `packet ${packet.id} from ${source} to ${destination}, delivered at ${node.name},`;
    const sent = this.#sentById.get(packet.id);
    if (sent === undefined) this.fail(`${what} was never sent`);
    if (sent.forged) this.fail(`${what} was forged by ${sent.sender}`);
    if (!packet.intact || sent.source !== source || sent.destination !== destination)
      this.fail(
        `${what} was sent by ${sent.sender} from ${sent.source} to ${sent.destination}, or is damaged`,
      );
    if (sent.delivered) this.fail(`${what} was delivered before`);
    const holder = this.#holderByAddress.get(destination);
    if (holder !== undefined && holder.peer !== node.peer) this.fail(`${what} belongs to ${holder.name}`);
    sent.delivered = true;
  }

  // ── the wire ──

  datagram(from: Endpoint, to: Endpoint, bytes: Uint8Array): void {
    this.count.datagrams++;
    this.count.wireBytes += bytes.length;
    this.#digest(`${this.#queue.now} ${from} ${to}`, bytes);
    this.#search(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), `a datagram from ${from}`);
    this.onWire?.(bytes, true);
  }

  stream(connection: number, direction: 0 | 1, bytes: Uint8Array): void {
    this.count.streamBytes += bytes.length;
    this.count.wireBytes += bytes.length;
    const key = `${connection}/${direction}`;
    this.#digest(`${this.#queue.now} ${key}`, bytes);
    const all = Buffer.concat([this.#tailByStream.get(key) ?? Buffer.alloc(0), bytes]);
    this.#search(all, `connection ${connection}`);
    this.#tailByStream.set(key, Buffer.from(all.subarray(-TAIL_BYTES)));
    this.onWire?.(bytes, false);
  }

  #digest(label: string, bytes: Uint8Array): void {
    this.#trace.update(label);
    this.#trace.update(bytes);
  }

  #search(bytes: Buffer, where: string): void {
    for (const secret of this.#secrets)
      if (bytes.includes(secret.bytes)) this.fail(`${secret.what} is in clear in ${where}`);
  }
}
