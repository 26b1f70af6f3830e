import assert from 'node:assert/strict';
import { Counters } from '../../../../base/counters.ts';
import { type Endpoint, parseEndpoint } from '../../../../base/endpoint.ts';
import { type Instant, instant } from '../../../../base/instant.ts';
import { parseClusterSecret } from '../../../../crypto/cluster-secret.ts';
import { generateIdentity } from '../../../../crypto/identity.ts';
import { cryptoReady } from '../../../../crypto/ready.ts';
import type { LinkId } from '../../../../gossip/model/gossip-output.ts';
import { ControlLinks, MAX_UNPROVEN, MAX_UNPROVEN_FROM_ONE } from '../../../../router/link/control-links.ts';
import { seededRandom } from '../../../seeded-random.ts';

const NOW = instant(1000);
const at = (text: string): Endpoint => parseEndpoint(text)!;

class Side {
  readonly counters = new Counters();
  readonly opened: string[] = [];
  readonly frames: string[] = [];
  readonly failed: Endpoint[] = [];
  readonly links: ControlLinks;
  readonly peer: string;

  constructor(seed: number) {
    const random = seededRandom(seed);
    const identity = generateIdentity(random);
    this.peer = identity.peer;
    this.links = new ControlLinks({
      identity,
      clusterKeys: parseClusterSecret('8f1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff1'),
      bootEpoch: 1,
      random,
      counters: this.counters,
      events: {
        opened: (_link, peer) => void this.opened.push(peer),
        frame: (_link, bytes) => void this.frames.push(new TextDecoder().decode(bytes)),
        closed: () => {},
        dialFailed: (endpoint) => void this.failed.push(endpoint),
      },
    });
  }

  /** What was put out for `link`: bytes to write, and whether it was closed. */
  take(link: LinkId): { bytes: Uint8Array; closed: boolean } {
    const parts: Uint8Array[] = [];
    let closed = false;
    for (let out = this.links.poll(); out !== undefined; out = this.links.poll()) {
      if (out.link !== link) continue;
      if (out.type === 'write') parts.push(out.bytes);
      if (out.type === 'close') closed = true;
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
