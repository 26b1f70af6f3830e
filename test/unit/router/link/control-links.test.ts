import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Counters } from '../../../../base/counters.ts';
import { type Endpoint, parseEndpoint } from '../../../../base/endpoint.ts';
import { after, type Instant, instant } from '../../../../base/instant.ts';
import { parseClusterSecret } from '../../../../crypto/cluster-secret.ts';
import { generateIdentity } from '../../../../crypto/identity.ts';
import { cryptoReady } from '../../../../crypto/ready.ts';
import type { LinkId } from '../../../../gossip/model/gossip-output.ts';
import { ControlLinks } from '../../../../router/link/control-links.ts';
import type { DialFailure } from '../../../../router/link/dial-failure.ts';
import { MAX_UNPROVEN, MAX_UNPROVEN_FROM_ONE } from '../../../../router/link/link-admission.ts';
import { LINK_COUNTERS } from '../../../../router/link/link-counters.ts';
import { seededRandom } from '../../../seeded-random.ts';

const NOW = instant(1000);
const SECRET = '8f1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff1';
const OTHER_SECRET = SECRET.replaceAll('8', '0');

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const at = (text: string): Endpoint => parseEndpoint(text)!;

class Side {
  readonly counters = new Counters(LINK_COUNTERS);
  readonly opened: string[] = [];
  readonly frames: string[] = [];
  readonly failed: Endpoint[] = [];
  readonly failures: DialFailure[] = [];
  readonly strangers: Endpoint[] = [];
  readonly links: ControlLinks;
  readonly peer: string;

  constructor(seed: number, isKnown: (source: string) => boolean = () => false, secret = SECRET) {
    const random = seededRandom(seed);
    const identity = generateIdentity(random);
    this.peer = identity.peer;
    this.links = new ControlLinks({
      identity,
      clusterKeys: parseClusterSecret(secret),
      bootEpoch: 1,
      random,
      counters: this.counters,
      events: {
        opened: (_link, peer) => void this.opened.push(peer),
        frame: (_link, bytes) => void this.frames.push(new TextDecoder().decode(bytes)),
        closed: () => {},
        dialFailed: (endpoint, failure) => {
          this.failed.push(endpoint);
          this.failures.push(failure);
        },
        strangerRefused: (remote) => void this.strangers.push(remote),
      },
      isKnown,
    });
  }

  /** What was put out for `link`: bytes to write, and whether it was closed. */
  take(link: LinkId): { bytes: Uint8Array; closed: boolean } {
    const parts: Uint8Array[] = [];
    let closed = false;
    for (let out = this.links.poll(); out !== undefined; out = this.links.poll()) {
      if (out.link !== link) continue;
      if (out.type === 'write') parts.push(out.bytes);
      if (out.type === 'close' || out.type === 'cut') closed = true;
    }
    return { bytes: Uint8Array.from(parts.flatMap((part) => [...part])), closed };
  }
}

/** Carries the handshake between a dialling and an accepting side; the ids of the link at both. */
function join(from: Side, to: Side, remote: Endpoint, now: Instant): [LinkId, LinkId] {
  from.links.dial(at('192.0.2.1:6783'), now);
  const dialled = from.links.poll()!.link;
  const accepted = to.links.accept(remote, now);
  from.links.connected(dialled);
  for (let i = 0; i < 4; i++) {
    to.links.receive(accepted, from.take(dialled).bytes, now);
    from.links.receive(dialled, to.take(accepted).bytes, now);
  }
  return [dialled, accepted];
}

describe('control links', () => {
  before(() => cryptoReady);

  it('open for a member, and carry its frames', () => {
    const [a, b] = [new Side(1), new Side(2)];
    const [atA, atB] = join(a, b, at('192.0.2.7:4000'), NOW);
    assert.deepEqual([a.opened, b.opened], [[b.peer], [a.peer]]);
    a.links.send(atA, new TextEncoder().encode('hello'));
    b.links.receive(atB, a.take(atA).bytes, NOW);
    assert.deepEqual(b.frames, ['hello']);
    assert.equal(b.links.nextTimeout(), undefined);
  });

  it('hold eight silent strangers of one host, and of one IPv6 /64 as well', () => {
    for (const from of [
      (i: number) => at(`192.0.2.7:${4000 + i}`),
      (i: number) => at(`[2001:db8::${(i + 1).toString(16)}]:4000`),
    ]) {
      const side = new Side(3);
      const other = side.links.accept(at('198.51.100.1:9'), NOW);
      for (let i = 0; i < 50; i++) side.links.accept(from(i), NOW);
      assert.equal(side.counters.get('link.pushedOut'), 50 - MAX_UNPROVEN_FROM_ONE);
      side.links.tick(instant(NOW + 5000));
      assert.equal(side.counters.get('link.timeout'), MAX_UNPROVEN_FROM_ONE + 1);
      assert.deepEqual(side.take(other), { bytes: new Uint8Array(0), closed: true });
    }
  });

  it('let a member in from a host whose pods hold silent connections, and open more at each of its steps', () => {
    const [member, side] = [new Side(8), new Side(9)];
    const pods = (from: number): void => {
      for (let i = 0; i < 30; i++) side.links.accept(at(`192.0.2.7:${from + i}`), NOW);
    };
    pods(5000);
    member.links.dial(at('192.0.2.1:6783'), NOW);
    const dialled = member.links.poll()!.link;
    const accepted = side.links.accept(at('192.0.2.7:4000'), NOW);
    member.links.connected(dialled);
    side.links.receive(accepted, member.take(dialled).bytes, NOW);
    const answer = side.take(accepted);
    pods(6000);
    member.links.receive(dialled, answer.bytes, NOW);
    pods(7000);
    side.links.receive(accepted, member.take(dialled).bytes, NOW);
    assert.deepEqual([side.opened, member.opened], [[member.peer], [side.peer]]);
  });

  it('let a member in however many silent strangers of however many hosts are at the door', () => {
    const [member, side] = [new Side(4), new Side(5)];
    for (let i = 0; i < 1000; i++) side.links.accept(at(`198.18.${i >> 8}.${i & 255}:9`), NOW);
    assert.equal(side.counters.get('link.pushedOut'), 1000 - MAX_UNPROVEN);
    join(member, side, at('192.0.2.7:4000'), NOW);
    assert.deepEqual(side.opened, [member.peer]);
    // The silent ones that remain are gone after five seconds.
    side.links.tick(instant(NOW + 5000));
    assert.equal(side.counters.get('link.timeout'), MAX_UNPROVEN - 1);
    assert.equal(side.links.nextTimeout(), undefined);
  });

  it('keep places for sources where known peers live, whatever strangers do', () => {
    const side = new Side(10, (source) => source === '203.0.113.5');
    const peer = side.links.accept(at('203.0.113.5:4000'), NOW);
    for (let i = 0; i < 1000; i++) side.links.accept(at(`198.18.${i >> 8}.${i & 255}:9`), NOW);
    assert.equal(side.counters.get('link.pushedOut'), 1000 - MAX_UNPROVEN);
    assert.equal(side.take(peer).closed, false);
  });

  it('say why a dial failed, and who came without the secret', () => {
    const [us, stranger] = [new Side(21), new Side(22, undefined, OTHER_SECRET)];
    const remote = at('198.51.100.7:4000');
    stranger.links.dial(at('192.0.2.1:6783'), NOW);
    const dialled = stranger.links.poll()!.link;
    const accepted = us.links.accept(remote, NOW);
    stranger.links.connected(dialled);
    us.links.receive(accepted, stranger.take(dialled).bytes, NOW);
    assert.equal(us.take(accepted).closed, true);
    assert.deepEqual(us.strangers, [remote]);
    stranger.links.lost(dialled, NOW);
    for (const errno of ['ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH', 'EPERM', 'EMFILE', undefined]) {
      stranger.links.dial(at('192.0.2.1:6783'), NOW);
      stranger.links.lost(stranger.links.poll()!.link, NOW, errno);
    }
    stranger.links.dial(at('192.0.2.1:6783'), NOW);
    stranger.links.connected(stranger.links.poll()!.link);
    stranger.links.tick(after(NOW, 1_000_000));
    assert.deepEqual(stranger.failures, [
      'hung-up',
      'refused',
      'unanswered',
      'unroutable',
      'forbidden',
      'unconnected',
      'unconnected',
      'silent',
    ]);
  });

  it('hold a bounded amount of memory for half handshakes', () => {
    const side = new Side(11, (source) => source.startsWith('203.'));
    const member = new Side(12);
    /** Bytes in use, once what nobody refers to is gone: the bytes of buffers go with a later collection. */
    const used = (): number => {
      let least = Number.POSITIVE_INFINITY;
      for (let same = 0; same < 3; ) {
        collectGarbage();
        const { heapUsed, external } = process.memoryUsage();
        same = heapUsed + external < least - 10_000 ? 0 : same + 1;
        least = Math.min(least, heapUsed + external);
      }
      return least;
    };
    for (let i = 0; i < 600; i++) {
      // Whoever has the secret gets further than a stranger, and may send most of a long last message.
      const link = side.links.accept(
        at(`${i % 2 === 0 ? 198 : 203}.18.${(i >> 8) & 255}.${i & 255}:9`),
        after(NOW, 100 * i),
      );
      member.links.dial(at('192.0.2.1:6783'), NOW);
      const dialled = member.links.poll()!.link;
      member.links.connected(dialled);
      side.links.receive(link, member.take(dialled).bytes, after(NOW, 100 * i));
      side.take(link);
      member.links.close(dialled);
      member.take(dialled);
      const most = new Uint8Array(16_000);
      most.set([0x80, 0x3e]); // a frame of 16,000 bytes, of which two are still missing
      side.links.receive(link, most, after(NOW, 100 * i));
    }
    const full = used();
    side.links.tick(after(NOW, 1_000_000));
    const perHalf = (full - used()) / (2 * MAX_UNPROVEN);
    assert.ok(
      perHalf < 40_000,
      `${Math.round(perHalf)} bytes for each of ${2 * MAX_UNPROVEN} half handshakes`,
    );
  }).timeout(30_000);

  it('close on garbage without a word, and tell of a dial that met it', () => {
    const side = new Side(6);
    const garbage = new Uint8Array(200).fill(3);
    garbage.set([48, 0]); // a frame of message 1's length
    const link = side.links.accept(at('192.0.2.7:4000'), NOW);
    side.links.receive(link, garbage, NOW);
    assert.deepEqual(side.take(link), { bytes: new Uint8Array(0), closed: true });
    side.links.dial(at('192.0.2.8:6783'), NOW);
    const dialled = side.links.poll()!.link;
    side.links.connected(dialled);
    side.links.receive(dialled, garbage, NOW);
    assert.deepEqual(side.failed, ['192.0.2.8:6783']);
  });

  it('end when we reach ourselves', () => {
    const side = new Side(7);
    const twin = new Side(7);
    join(twin, side, at('192.0.2.7:4000'), NOW);
    assert.deepEqual([side.opened, twin.opened], [[], []]);
    assert.equal(twin.counters.get('link.self'), 1);
  });
});
