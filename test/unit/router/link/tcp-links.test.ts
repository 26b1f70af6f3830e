import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import { parseAddress } from '../../../../base/address.ts';
import { Counters } from '../../../../base/counters.ts';
import { endpoint } from '../../../../base/endpoint.ts';
import { parseClusterSecret } from '../../../../crypto/cluster-secret.ts';
import { generateIdentity } from '../../../../crypto/identity.ts';
import { cryptoReady } from '../../../../crypto/ready.ts';
import { clock } from '../../../../host/clock.io.ts';
import { osRandom } from '../../../../host/os-random.io.ts';
import { ControlLinks } from '../../../../router/link/control-links.ts';
import { LINK_COUNTERS } from '../../../../router/link/link-counters.ts';
import { TcpLinks } from '../../../../router/link/tcp-links.io.ts';
import { until } from '../../../cluster/command.ts';

const SECRET = '8f1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff1';
const HERE = '127.0.0.1';

/** A node's control links on real sockets, driven as weftd drives them. */
class Peer {
  readonly counters = new Counters(LINK_COUNTERS);
  readonly opened: string[] = [];
  readonly port: number;
  readonly id: string;
  readonly links: ControlLinks;
  #sockets!: TcpLinks;
  readonly #ticking = setInterval(() => {
    this.links.tick(clock());
    this.#carryOut();
  }, 50);

  private constructor(port: number) {
    this.port = port;
    const identity = generateIdentity(osRandom);
    this.id = identity.peer;
    this.links = new ControlLinks({
      identity,
      clusterKeys: parseClusterSecret(SECRET),
      bootEpoch: 1,
      random: osRandom,
      counters: this.counters,
      events: {
        opened: (_link, peer) => void this.opened.push(peer),
        frame: () => {},
        closed: () => {},
        dialFailed: () => {},
        strangerRefused: () => {},
      },
    });
  }

  static async listen(): Promise<Peer> {
    const peer = new Peer(await freePort());
    const { links } = peer;
    const and = <Args extends unknown[], Out>(act: (...args: Args) => Out): ((...args: Args) => Out) => {
      return (...args) => {
        const out = act(...args);
        peer.#carryOut();
        return out;
      };
    };
    peer.#sockets = await TcpLinks.listen([HERE], peer.port, {
      accepted: and((remote) => links.accept(remote, clock())),
      connected: and((link) => links.connected(link)),
      received: and((link, bytes) => links.receive(link, bytes, clock())),
      congested: () => {},
      closed: and((link) => links.lost(link, clock())),
    });
    return peer;
  }

  dial(other: Peer): void {
    this.links.dial(endpoint(parseAddress(HERE)!, other.port), clock());
    this.#carryOut();
  }

  close(): void {
    clearInterval(this.#ticking);
    this.#sockets.closeAll();
  }

  #carryOut(): void {
    for (let out = this.links.poll(); out !== undefined; out = this.links.poll()) {
      if (out.type === 'dial') this.#sockets.dial(out.link, out.endpoint);
      else if (out.type === 'write') this.#sockets.write(out.link, out.bytes);
      else if (out.type === 'close') this.#sockets.close(out.link);
      else this.#sockets.cut(out.link);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HERE);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** The length of a first message, whose bytes are then sent one by one. */
const BEGUN = Uint8Array.of(48, 0);

/** Connections of an attacker, which never close of their own accord. */
class Attacker {
  readonly sockets: Socket[] = [];
  answers = 0;
  connected = 0;
  readonly #gone = new Set<Socket>();

  /** Connections that the other end has closed. */
  get closed(): number {
    return this.#gone.size;
  }

  connect(port: number, from: string, first?: Uint8Array): void {
    const socket = createConnection({ port, host: HERE, localAddress: from, allowHalfOpen: true });
    this.sockets.push(socket);
    socket.once('connect', () => {
      this.connected++;
      if (first !== undefined) socket.write(first);
    });
    socket.on('data', () => this.answers++);
    socket.on('error', () => {});
    const gone = (): void => void this.#gone.add(socket);
    socket.once('end', gone);
    socket.once('close', gone);
  }

  /** Every connection sends one more byte. */
  drip(): void {
    for (const socket of this.sockets) if (socket.writable) socket.write(Uint8Array.of(0));
  }

  end(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

describe('the sockets of control links', function () {
  this.timeout(30_000);
  const peers: Peer[] = [];
  const attackers: Attacker[] = [];
  const peer = async (): Promise<Peer> => {
    const it = await Peer.listen();
    peers.push(it);
    return it;
  };
  const attacker = (): Attacker => {
    const it = new Attacker();
    attackers.push(it);
    return it;
  };

  before(() => cryptoReady);
  afterEach(() => {
    for (const it of attackers.splice(0)) it.end();
    for (const it of peers.splice(0)) it.close();
  });

  it('are not held by 600 slow connections that never close their side', async () => {
    const [node, member, slow] = [await peer(), await peer(), attacker()];
    for (let i = 0; i < 600; i++) slow.connect(node.port, HERE, BEGUN);
    const dripping = setInterval(() => slow.drip(), 200);
    try {
      await until('the slow connections', () => slow.connected + slow.closed >= 600 || undefined);
      member.dial(node);
      await until('the member to be let in', () => node.opened.includes(member.id) || undefined, {
        timeoutMs: 4_000,
      });
      // All but the few of one source that may wait for their handshake are gone, whatever they send.
      await until('the places to be free', () => slow.closed >= 590 || undefined, { timeoutMs: 4_000 });
    } finally {
      clearInterval(dripping);
    }
  });

  it('end with the handshake’s time, whatever bytes come meanwhile', async () => {
    const [node, slow] = [await peer(), attacker()];
    for (let i = 0; i < 4; i++) slow.connect(node.port, HERE, BEGUN);
    const dripping = setInterval(() => slow.drip(), 100);
    try {
      await until('the end of all', () => slow.closed === 4 || undefined, { timeoutMs: 6_000 });
      assert.equal(node.counters.get('link.timeout'), 4);
    } finally {
      clearInterval(dripping);
    }
  });

  it('answer a recorded first message no second time, from wherever it comes, and let members in', async () => {
    const [node, member] = [await peer(), await peer()];
    const recording = recordFirstMessage();
    const replay = attacker();
    for (let i = 0; i < 200; i++) replay.connect(node.port, `127.0.0.${2 + (i % 50)}`, recording);
    member.dial(node);
    await until('the member to be let in', () => node.opened.includes(member.id) || undefined, {
      timeoutMs: 4_000,
    });
    await until('the replays to be cut', () => replay.closed >= 199 || undefined, { timeoutMs: 4_000 });
    assert.ok(replay.answers <= 1, `${replay.answers} answers`);
    assert.equal(node.counters.get('link.replayed') + node.counters.get('link.pushedOut'), 199);
  });
});

/** What an attacker on the wire has recorded of some member's connection. */
function recordFirstMessage(): Uint8Array {
  const links = new ControlLinks({
    identity: generateIdentity(osRandom),
    clusterKeys: parseClusterSecret(SECRET),
    bootEpoch: 1,
    random: osRandom,
    counters: new Counters(LINK_COUNTERS),
    events: {
      opened: () => {},
      frame: () => {},
      closed: () => {},
      dialFailed: () => {},
      strangerRefused: () => {},
    },
  });
  links.dial(endpoint(parseAddress(HERE)!, 1), clock());
  const { link } = links.poll()!;
  links.connected(link);
  const out = links.poll();
  assert.ok(out?.type === 'write');
  return out.bytes;
}
