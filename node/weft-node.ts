import type { Address } from '../base/address.ts';
import type { Endpoint } from '../base/endpoint.ts';
import { earliest, type Instant } from '../base/instant.ts';
import { OutputQueue } from '../base/output-queue.ts';
import type { PeerId } from '../base/peer-id.ts';
import type { WeftError } from '../base/weft-error.ts';
import { Gossip } from '../gossip/gossip.ts';
import type { GossipOutput, LinkId } from '../gossip/model/gossip-output.ts';
import { decodeNodeInfo, type NodeInfo } from '../gossip/model/node-info.ts';
import type { SignedRecord } from '../gossip/model/record.ts';
import { Ipam } from '../ipam/ipam.ts';
import { type AllocationKey, type IpamOutput, NODE_KEY, type RequestId } from '../ipam/model/types.ts';
import type { DatapathEvents } from '../router/datapath/datapath.ts';
import { ControlLinks, type LinkEnd } from '../router/link/control-links.ts';
import type { TunnelEvent } from '../router/tunnel/tunnel-status.ts';
import { Tunnels } from '../router/tunnel/tunnels.ts';
import { FlushGate } from './flush-gate.ts';
import { gossipCrypto } from './gossip-crypto.ts';
import { KnownPeers } from './known-peers.ts';
import { NodeMessages } from './node-messages.ts';
import type { NodeOptions, NodeOutput } from './node-types.ts';
import { OwnAddress } from './own-address.ts';
import { OwnEndpoints } from './own-endpoints.ts';
import { ownInfoOf } from './own-info.ts';
import type { PeerQuestions } from './peer-questions.ts';
import { RelayChoice } from './relay-choice.ts';
import { SeedReach } from './seed-reach.ts';
import { SessionHandover } from './session-handover.ts';

/**
 * A whole node without its surroundings: gossip, ring, tunnels and control links, joined. Pure: time and bytes in,
 * {@link NodeOutput}s out, so that the daemon runs it on sockets and the simulator by the hundred on virtual time.
 *
 * After a batch of inputs the shell calls {@link settle}, carries out what {@link poll} gives, and arms a timer for
 * {@link nextTimeout}. Data packets do not come through here: they go between the shell and the datapath.
 */
export class WeftNode {
  readonly gossip: Gossip;
  readonly ipam: Ipam;
  readonly tunnels: Tunnels;
  /** How the tunnels outlive this weftd. */
  readonly handover: SessionHandover;
  /** What came of the dials to the seeds. */
  readonly seedReach = new SeedReach();
  readonly #options: NodeOptions;
  readonly #links: ControlLinks;
  readonly #gate: FlushGate;
  readonly #outputs = new OutputQueue<NodeOutput>();
  readonly #ownAddress: OwnAddress;
  readonly #peers: KnownPeers;
  readonly #ownEndpoints: OwnEndpoints;
  readonly #relays: RelayChoice;
  readonly #messages: NodeMessages;

  constructor(options: NodeOptions) {
    const { underlay, overlay, random, counters, held = false } = options;
    const { identity, clusterKeys, bootEpoch, bootId, name } = options.self;
    this.#options = options;
    this.#ownEndpoints = new OwnEndpoints(underlay.endpoints);
    this.#gate = new FlushGate(options.store, (fault) => this.#outputs.push({ type: 'disk', fault }));
    this.gossip = new Gossip({
      self: identity.peer,
      clusterId: clusterKeys.clusterId,
      epoch: bootEpoch,
      crypto: gossipCrypto(identity),
      random,
      counters,
      ...(options.gossip === undefined ? {} : { config: options.gossip }),
    });
    this.ipam = new Ipam({
      self: identity.peer,
      name,
      bootId,
      random,
      counters,
      store: options.store,
      hasWayTo: (peer) => this.gossip.hasLink(peer) || this.tunnels.status(peer)?.state === 'established',
      config: options.ipam,
    });
    this.#ownAddress = new OwnAddress(this.ipam);
    this.tunnels = new Tunnels({
      identity,
      clusterKeys,
      bootEpoch,
      suites: overlay.suites,
      takesMarks: overlay.takesMarks,
      random,
      counters,
      datapath: overlay.datapath,
      config: { mtu: overlay.mtu },
      held,
    });
    const { gossip, ipam, tunnels } = this;
    const onResumed = (now: Instant) => this.#publishInfo(now);
    this.handover = new SessionHandover({ self: identity.peer, bootEpoch, tunnels, held, onResumed });
    const onProbe = (from: PeerId, bytes: Uint8Array) =>
      this.#outputs.push({ type: 'probeMessage', from, bytes });
    this.#messages = new NodeMessages({ gossip, ipam, tunnels, random, counters, onProbe });
    this.#relays = new RelayChoice(this.gossip, this.tunnels);
    this.#peers = new KnownPeers(this.tunnels, counters);
    this.#links = new ControlLinks({
      identity,
      clusterKeys,
      bootEpoch,
      random,
      counters,
      events: {
        opened: (link, peer, end, now) => this.#linkOpened(link, peer, end, now),
        frame: (link, bytes, now) => void gossip.handleFrame(link, bytes, now),
        closed: (link, now) => {
          this.#peers.linkClosed(link);
          gossip.linkClosed(link, now);
        },
        dialFailed: (endpoint, failure, now) => {
          this.seedReach.failed(endpoint, failure, now);
          gossip.dialFailed(endpoint, now);
        },
        strangerRefused: (remote) => this.#outputs.push({ type: 'strangerRefused', remote }),
      },
      isKnown: (source) => this.#peers.liveAt(source),
    });
  }

  /** What nodes ask each other for views of the whole cluster. */
  get questions(): PeerQuestions {
    return this.#messages.questions;
  }

  get peer(): PeerId {
    return this.#options.self.identity.peer;
  }

  /** What the datapath is to tell its events to. */
  get datapathEvents(): DatapathEvents {
    return this.tunnels;
  }

  /** Our own overlay addresses, IPv4 first; empty until the ring gave us some. */
  get ownAddresses(): readonly Address[] {
    return this.#ownAddress.addresses;
  }

  /** Why nothing can be written to disk at present, so that no address is dealt out. */
  get diskFault(): WeftError | undefined {
    return this.#gate.fault;
  }

  /** What `peer` last said of itself. */
  infoOf(peer: PeerId): NodeInfo | undefined {
    return this.#peers.infoOf(peer);
  }

  /**
   * Begins, with the records that were kept from before. Once, before all else.
   *
   * On a full disk a node that had an address before goes on, as it does when the disk fills up later: its pods need
   * nothing new. One that never had any has nothing to go on with: throws what the store said.
   */
  start(kept: readonly SignedRecord[], now: Instant): void {
    const isNew = this.ipam.allocation(NODE_KEY) === undefined;
    this.ipam.start(now);
    this.gossip.restore(kept, now);
    this.#publishInfo(now);
    this.#ownAddress.ask(now);
    this.settle(now);
    if (isNew && this.#gate.fault !== undefined) throw this.#gate.fault;
  }

  /** Where to look for peers, all of it: replaces what was given before. */
  setSeeds(endpoints: readonly Endpoint[], now: Instant): void {
    this.seedReach.setSeeds(endpoints);
    this.gossip.setSeeds(endpoints, now);
  }

  /**
   * Where peers may reach us, all of it, the most promising first: the host's addresses have changed. Our record names
   * them from now on, and tunnels are tried anew from them.
   */
  setEndpoints(endpoints: readonly Endpoint[], now: Instant): void {
    if (this.#ownEndpoints.set(endpoints)) this.#publishInfo(now);
    this.tunnels.ownEndpointsChanged(now);
  }

  // ── control links: what the shell tells of TCP connections ──

  /** Somebody connected. `local`: our end, where the shell knows it. */
  linkAccepted(remote: Endpoint, now: Instant, local?: Endpoint): LinkId | undefined {
    return this.#links.accept(remote, now, local);
  }

  linkConnected(link: LinkId, local?: Endpoint): void {
    this.#links.connected(link, local);
  }

  linkReceived(link: LinkId, bytes: Uint8Array, now: Instant): void {
    this.#links.receive(link, bytes, now);
  }

  /** What we send over the link waits for the peer to take it in, or no longer does. */
  linkCongested(link: LinkId, congested: boolean, now: Instant): void {
    this.gossip.linkCongested(link, congested, now);
  }

  linkLost(link: LinkId, now: Instant, errno?: string): void {
    this.#links.lost(link, now, errno);
  }

  // ── addresses ──

  /** Asks for the addresses of a pod; `allocated` or `allocateFailed` follows. */
  allocate(key: AllocationKey, now: Instant): RequestId {
    return this.ipam.allocate(key, now);
  }

  tick(now: Instant): void {
    this.#links.tick(now);
    this.gossip.tick(now);
    this.ipam.tick(now);
    this.tunnels.tick(now);
    this.#ownAddress.tick(now);
    this.#relays.tick(now);
    this.questions.tick(now);
    this.settle(now);
  }

  nextTimeout(): Instant | undefined {
    return earliest(
      this.#links.nextTimeout(),
      this.gossip.nextTimeout(),
      this.ipam.nextTimeout(),
      this.tunnels.nextTimeout(),
      this.#ownAddress.nextTimeout(),
      this.#relays.nextTimeout(),
      this.questions.nextTimeout(),
      this.#gate.nextTimeout(),
    );
  }

  /**
   * Lets the cores tell each other what is new until nothing is. Whatever ipam promised is on disk before it leaves,
   * and waits while the disk is full. Throws what else the store throws: the daemon must then end.
   */
  settle(now: Instant): void {
    for (let quiet = false; !quiet; ) {
      quiet = true;
      for (let out = this.gossip.poll(); out !== undefined; out = this.gossip.poll()) {
        quiet = false;
        this.#fromGossip(out, now);
      }
      for (let out = this.tunnels.poll(); out !== undefined; out = this.tunnels.poll()) {
        quiet = false;
        this.#fromTunnels(out, now);
      }
      if (!this.#gate.pass(now)) continue;
      for (let out = this.ipam.poll(); out !== undefined; out = this.ipam.poll()) {
        quiet = false;
        this.#fromIpam(out, now);
      }
    }
    for (let out = this.questions.poll(); out !== undefined; out = this.questions.poll())
      this.#outputs.push(out);
    for (let out = this.#links.poll(); out !== undefined; out = this.#links.poll()) this.#outputs.push(out);
  }

  poll(): NodeOutput | undefined {
    return this.#outputs.poll();
  }

  #fromGossip(out: GossipOutput, now: Instant): void {
    switch (out.type) {
      case 'frame':
        this.#links.send(out.link, out.bytes);
        return;
      case 'packet':
        this.#messages.send('swim', out.to, out.bytes, now);
        return;
      case 'dial':
        this.#links.dial(out.endpoint, now);
        return;
      case 'closeLink':
        this.#peers.linkClosed(out.link);
        this.#links.close(out.link);
        return;
      case 'record':
        if (!out.restored) this.#outputs.push({ type: 'keepRecord', record: out.record });
        this.#takeRecord(out.record, now);
        return;
      case 'recordGone':
        this.#outputs.push({ type: 'dropRecord', origin: out.origin, slot: out.slot });
        if (out.slot === 'node') this.#peers.forget(out.origin, now);
        return;
      case 'ownRecordAhead':
        this.#takeRecord(out.record, now);
        if (out.record.slot !== 'ring') this.#outputs.push({ type: 'rolledBack', epoch: out.record.epoch });
        return;
      case 'recordRefused':
        this.#outputs.push({ type: 'recordRefused', peer: out.peer });
        return;
      case 'message':
        this.ipam.handleMessage(out.from, out.bytes, now);
        return;
      case 'equivocation':
        this.#outputs.push({ type: 'equivocation', peer: out.kept.origin });
        return;
      case 'member':
        this.ipam.memberChanged(out.peer, out.state, now);
        if (out.state === 'suspect') this.tunnels.suspectPath(out.peer, now);
        if (out.state === 'alive') this.#peers.wantEarly(out.peer, now);
        this.#outputs.push({
          type: 'member',
          peer: out.peer,
          name: this.#nameOf(out.peer),
          state: out.state,
        });
    }
  }

  #fromTunnels(out: TunnelEvent, now: Instant): void {
    if (out.type === 'message') {
      this.#messages.receive(out, now);
      return;
    }
    const { peer, state, path } = out;
    this.#outputs.push({ type: 'tunnel', peer, name: this.#nameOf(peer), state, path });
  }

  #fromIpam(out: IpamOutput, now: Instant): void {
    switch (out.type) {
      case 'publish':
        this.gossip.publish(out.slot, out.payload, now);
        return;
      case 'message':
        this.#messages.sendToIpam(out.to, out.bytes, now);
        return;
      case 'ringChanged':
        this.#options.overlay.datapath.setRoutes(this.ipam.owners());
        for (const { peer } of this.ipam.status().removed) this.#peers.remove(peer, now);
        return;
      case 'removed':
        this.gossip.forgetPeer(out.peer, now);
        this.#outputs.push(out);
        return;
      case 'freeChanged':
        this.#publishInfo(now);
        return;
      case 'allocated':
      case 'allocateFailed': {
        const taken = this.#ownAddress.take(out, now);
        if (taken === 'not-ours') this.#outputs.push(out);
        else if (taken === 'got') this.#gotAddress(now);
        return;
      }
      default:
        this.#outputs.push(out);
    }
  }

  #takeRecord(record: SignedRecord, now: Instant): void {
    const { origin, slot, payload } = record;
    if (slot === 'forgotten') return;
    if (slot !== 'node') {
      this.ipam.handleRecord({ origin, slot, payload }, now);
      return;
    }
    if (origin === this.peer) return;
    const info = decodeNodeInfo(payload);
    if (!info.ok) {
      this.#options.counters.add('node.badInfo');
      return;
    }
    if (!this.#peers.set(origin, info.value, record.epoch, now)) return;
    this.ipam.handleNode(origin, { free: info.value.free, name: info.value.name });
    this.#peers.wantEarly(origin, now);
  }

  #linkOpened(link: LinkId, peer: PeerId, end: LinkEnd, now: Instant): void {
    if (end.initiator) this.seedReach.met(end.remote, peer, now);
    this.gossip.linkOpened(link, peer, end.initiator, end.remote, now);
    if (peer === this.peer) return;
    if (end.local !== undefined && this.#ownEndpoints.prove(end.local)) this.#publishInfo(now);
    this.#peers.linkOpened(link, peer, end, now);
  }

  #publishInfo(now: Instant): void {
    if (this.handover.held) return;
    const { published: endpoints } = this.#ownEndpoints;
    const { sessionsSince } = this.handover;
    const said = { endpoints, addresses: this.ownAddresses, free: this.ipam.freeHints(), sessionsSince };
    this.gossip.setInfo(ownInfoOf(this.#options, said), now);
  }

  #gotAddress(now: Instant): void {
    this.#outputs.push({ type: 'ownAddresses', addresses: this.ownAddresses });
    this.#publishInfo(now);
  }

  #nameOf(peer: PeerId): string {
    return this.#peers.infoOf(peer)?.name ?? '';
  }
}
