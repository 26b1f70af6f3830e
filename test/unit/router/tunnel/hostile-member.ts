import assert from 'node:assert/strict';
import { concat } from '../../../../base/bytes.ts';
import type { Endpoint } from '../../../../base/endpoint.ts';
import { type Aead, createAead } from '../../../../crypto/aead.ts';
import { type ClusterKeys, parseClusterSecret } from '../../../../crypto/cluster-secret.ts';
import { CookieJar, MACS_LENGTH, macKeysOf } from '../../../../crypto/cookie.ts';
import { generateIdentity, type Identity } from '../../../../crypto/identity.ts';
import {
  type HandshakeSelf,
  Initiation,
  ReceivedInitiation,
} from '../../../../router/handshake/handshake.ts';
import { writeInnerHeader, writeOuterHeader } from '../../../../router/packet/data-packet.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { type Flight, type Net, type Node, SECRET } from './tunnel-net.ts';

/**
 * A member of the cluster (it has the secret and a record of its own) that keeps to no rule: it writes every packet
 * by hand, under any source address. What is sent to one of its `ears` it hears; it answers only what a test has it
 * answer. Use: `net.tamper = member.hear`.
 */
export class HostileMember {
  readonly identity: Identity;
  readonly net: Net;
  /** What came to it, oldest first. */
  readonly heard: Flight[] = [];
  readonly ears: Endpoint[];
  readonly hear: (flight: Flight) => readonly Flight[];
  /** Called for each flight heard. */
  onHeard: (flight: Flight) => void = () => {};
  readonly #clusterKeys: ClusterKeys = parseClusterSecret(SECRET);
  readonly #self: HandshakeSelf;
  #sequence = 0;

  constructor(net: Net, seed: number, ears: Endpoint[]) {
    const random = seededRandom(seed);
    this.net = net;
    this.ears = ears;
    this.identity = generateIdentity(random);
    this.#self = { identity: this.identity, clusterKeys: this.#clusterKeys, random };
    this.hear = (flight) => {
      if (!this.ears.includes(flight.to)) return [flight];
      this.heard.push(flight);
      this.onHeard(flight);
      return [];
    };
  }

  /** Has `node` know of us by a record that names `endpoints`. */
  introduce(node: Node, endpoints: readonly Endpoint[], epoch = 1): void {
    const noiseKey = this.identity.noise.publicKey;
    node.tunnels.setPeer(this.identity.peer, { noiseKey, endpoints, epoch }, this.net.now);
  }

  /** A fresh initiation to `node`, with the packet to send. */
  initiation(
    node: Node,
    options: { epoch?: number; token?: Uint8Array } = {},
  ): { message: Initiation; packet: Uint8Array } {
    const made = Initiation.create(
      this.#self,
      { peer: node.peer, noiseKey: node.identity.noise.publicKey },
      1 + this.#sequence,
      {
        epoch: options.epoch ?? 1,
        sequence: ++this.#sequence,
        peer: this.identity.peer,
        suites: 1,
        takesMarks: true,
        mtu: 1364,
        token: options.token ?? new Uint8Array(16),
      },
    );
    assert.ok(made.ok);
    return { message: made.value, packet: this.stamped(made.value.body, node) };
  }

  /** The answer "regressed", or "accepted" under `index`, to an initiation of `node`'s. */
  answer(initiation: Uint8Array, node: Node, index?: number): Uint8Array {
    const read = ReceivedInitiation.read(this.#self, initiation);
    assert.ok(read.ok);
    const response = read.value.respond(
      index === undefined
        ? { outcome: 'regressed', epoch: 1, mtu: 1364, token: new Uint8Array(16).fill(7) }
        : { outcome: 'accepted', epoch: 1, mtu: 1364, suite: 'chacha20-poly1305', index, takesMarks: true },
    );
    assert.ok(response.ok);
    return this.stamped(response.value.body, node);
  }

  /** Shakes hands with `node` from `from`: the session, which `node` has not seen a packet of yet. */
  session(node: Node, from: Endpoint): HostileSession {
    const { message, packet } = this.initiation(node);
    this.heard.length = 0;
    this.net.inject({ from, to: node.endpoints[0]!, bytes: packet });
    this.net.run(10);
    const response = this.heard.find(({ bytes }) => bytes[0] === 2);
    assert.ok(response !== undefined, 'the node answers');
    const read = message.readResponse(response.bytes);
    assert.ok(read.ok && read.value.keys !== undefined && read.value.payload.outcome === 'accepted');
    return new HostileSession(this.net, node, read.value.payload.index, read.value.keys.sendKey);
  }

  stamped(body: Uint8Array, node: Node): Uint8Array {
    const packet = concat(body, new Uint8Array(MACS_LENGTH));
    const keys = macKeysOf(this.#clusterKeys.mac1Key, node.identity.noise.publicKey);
    new CookieJar(keys).stamp(packet, this.net.now);
    return packet;
  }
}

/** Our half of a session with a node: seals whatever plaintext under whatever counter. */
export class HostileSession {
  readonly #net: Net;
  readonly #node: Node;
  readonly #index: number;
  readonly #aead: Aead;

  constructor(net: Net, node: Node, index: number, sendKey: Uint8Array) {
    this.#net = net;
    this.#node = node;
    this.#index = index;
    this.#aead = createAead('chacha20-poly1305', sendKey);
  }

  /** An inner header of `kind` and `body`, from `from`. */
  send(from: Endpoint, counter: number, kind: number, body: Uint8Array, a = 0): Uint8Array {
    const inner = new Uint8Array(4);
    writeInnerHeader(inner, 0, kind, 0, a, 0);
    return this.sendPlaintext(from, counter, concat(inner, body));
  }

  sendPlaintext(from: Endpoint, counter: number, plaintext: Uint8Array): Uint8Array {
    const header = new Uint8Array(16);
    writeOuterHeader(header, 0, this.#index, counter);
    const bytes = concat(header, this.#aead.seal(counter, header, plaintext));
    this.#net.inject({ from, to: this.#node.endpoints[0]!, bytes });
    return bytes;
  }
}
