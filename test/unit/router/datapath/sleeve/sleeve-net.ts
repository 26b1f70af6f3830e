import { Counters } from '../../../../../base/counters.ts';
import { type Endpoint, parseEndpoint } from '../../../../../base/endpoint.ts';
import { type Instant, instant } from '../../../../../base/instant.ts';
import type { PeerId } from '../../../../../base/peer-id.ts';
import { parseCidr } from '../../../../../base/range.ts';
import { type CreateAead, createAead, type SuiteLimits } from '../../../../../crypto/aead.ts';
import type { Suite } from '../../../../../crypto/suite.ts';
import type { DatapathEvents, Route } from '../../../../../router/datapath/datapath.ts';
import { DATAPATH_COUNTERS, type DatapathCounter } from '../../../../../router/datapath/datapath-counters.ts';
import { Sleeve } from '../../../../../router/datapath/sleeve/sleeve.ts';
import { datagramsOf } from './datagrams-of.ts';

/** One sleeve with everything it put out. */
export interface Node {
  readonly id: PeerId;
  readonly endpoint: Endpoint;
  readonly sleeve: Sleeve;
  readonly counters: Counters<DatapathCounter>;
  readonly transmitted: { readonly to: Endpoint; readonly bytes: Uint8Array; tos: number }[];
  /** How many datagrams were transmitted by each call. */
  readonly runs: number[];
  readonly delivered: Uint8Array[];
  readonly events: { readonly name: keyof DatapathEvents; readonly args: readonly unknown[] }[];
}

export interface NodeOptions {
  readonly overlayMtu?: number;
  readonly limits?: SuiteLimits;
  readonly coalesceUdp?: boolean;
  /** Default: chacha20-poly1305, by what works everywhere. */
  readonly suite?: Suite;
  readonly createAead?: CreateAead;
  /** Default: true. */
  readonly peerTakesMarks?: boolean;
}

/**
 * Sleeves on one underlay without loss, on virtual time. Node `i` (0 to 9) owns 10.(32+i).0.0/16 and fd00:i::/32 and
 * sits at 192.0.2.(i+1):6783. Everything transmitted is kept in `wire`, as a listener would.
 */
export class SleeveNet {
  now: Instant = instant(1000);
  readonly nodes: Node[] = [];
  readonly wire: Uint8Array[] = [];
  readonly #suite: Suite;
  readonly #peerTakesMarks: boolean;
  #nextIndex = 1;

  constructor(count: number, options: NodeOptions = {}) {
    this.#suite = options.suite ?? 'chacha20-poly1305';
    this.#peerTakesMarks = options.peerTakesMarks ?? true;
    for (let i = 0; i < count; i++) this.nodes.push(this.#node(i, options));
    const routes: Route[] = this.nodes.flatMap(({ id }, i) => [
      { range: parseCidr(`10.${32 + i}.0.0/16`)!, owner: id },
      { range: parseCidr(`fd00:${i}::/32`)!, owner: id },
    ]);
    for (const { sleeve } of this.nodes) sleeve.setRoutes(routes);
  }

  /** Installs a session between two nodes and uses it at once; the local indices at `a` and `b`. */
  connect(a: number, b: number, use = true): [number, number] {
    const [atA, atB] = [this.#nextIndex++, this.#nextIndex++];
    const keys = [new Uint8Array(32).fill(atA), new Uint8Array(32).fill(atB)] as const;
    const [left, right] = [this.nodes[a]!, this.nodes[b]!];
    const common = { suite: this.#suite, peerTakesMarks: this.#peerTakesMarks } as const;
    left.sleeve.install({
      ...common,
      peer: right.id,
      localIndex: atA,
      remoteIndex: atB,
      sendKey: keys[0],
      receiveKey: keys[1],
    });
    right.sleeve.install({
      ...common,
      peer: left.id,
      localIndex: atB,
      remoteIndex: atA,
      sendKey: keys[1],
      receiveKey: keys[0],
    });
    if (use) {
      left.sleeve.use(atA);
      right.sleeve.use(atB);
    }
    return [atA, atB];
  }

  /** Direct paths between two nodes, both ways. */
  link(a: number, b: number): void {
    const [left, right] = [this.nodes[a]!, this.nodes[b]!];
    left.sleeve.setPath(right.id, { kind: 'direct', endpoint: right.endpoint });
    right.sleeve.setPath(left.id, { kind: 'direct', endpoint: left.endpoint });
  }

  send(from: number, frame: Uint8Array): void {
    const { sleeve } = this.nodes[from]!;
    sleeve.handleTunPacket(frame, this.now);
    sleeve.endBatch(this.now);
  }

  /** Carries what was transmitted to its receivers until nothing is under way, then ends their batches. */
  run(): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (const node of this.nodes) {
        node.sleeve.endBatch(this.now);
        for (const { to, bytes, tos } of node.transmitted.splice(0)) {
          moved = true;
          const receiver = this.nodes.find((one) => one.endpoint === to);
          receiver?.sleeve.handleDatagrams(node.endpoint, bytes, this.now, bytes.length, tos);
        }
      }
    }
    for (const { sleeve } of this.nodes) sleeve.endBatch(this.now);
  }

  #node(i: number, options: NodeOptions): Node {
    const node = {
      id: String(i + 1).repeat(64) as PeerId,
      endpoint: parseEndpoint(`192.0.2.${i + 1}:6783`)!,
      counters: new Counters(DATAPATH_COUNTERS),
      transmitted: [] as Node['transmitted'],
      runs: [] as number[],
      delivered: [] as Uint8Array[],
      events: [] as Node['events'],
    };
    const record =
      (name: keyof DatapathEvents) =>
      (...args: readonly unknown[]): void => {
        node.events.push({ name, args });
      };
    const sleeve = new Sleeve({
      self: node.id,
      counters: node.counters,
      overlayMtu: options.overlayMtu ?? 1364,
      config: {
        coalesceUdp: options.coalesceUdp ?? false,
        createAead: options.createAead ?? createAead,
        ...(options.limits === undefined ? {} : { limits: options.limits }),
      },
      sink: {
        transmit: (to, bytes, segment, tos = 0) => {
          node.runs.push(datagramsOf(bytes, segment).length);
          for (const datagram of datagramsOf(bytes, segment)) {
            this.wire.push(datagram.slice());
            node.transmitted.push({ to, bytes: datagram, tos });
          }
        },
        deliver: (frame) => node.delivered.push(frame.slice()),
      },
      events: {
        sessionWanted: record('sessionWanted'),
        confirmed: record('confirmed'),
        moved: record('moved'),
        control: record('control'),
        exhausted: record('exhausted'),
        busy: record('busy'),
        foreign: record('foreign'),
        unknownIndex: record('unknownIndex'),
      },
    });
    return { ...node, sleeve };
  }
}
