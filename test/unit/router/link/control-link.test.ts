import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { concat } from '../../../../base/bytes.ts';
import { instant } from '../../../../base/instant.ts';
import { parseClusterSecret } from '../../../../crypto/cluster-secret.ts';
import { generateIdentity, type Identity } from '../../../../crypto/identity.ts';
import { cryptoReady } from '../../../../crypto/ready.ts';
import { ControlLink, LINK_FRAME_MAX, type LinkProgress } from '../../../../router/link/control-link.ts';
import { LINK_FIRST_MESSAGE_MS, LINK_HANDSHAKE_MS } from '../../../../router/link/link-handshake.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { SECRET } from '../tunnel/tunnel-net.ts';

await cryptoReady;

const random = seededRandom(9);
const alice = generateIdentity(seededRandom(1));
const bob = generateIdentity(seededRandom(2));
const now = instant(0);

function link(
  identity: Identity,
  initiator: boolean,
  more: { secret?: string; expected?: Identity } = {},
): ControlLink {
  return new ControlLink({
    initiator,
    identity,
    clusterKeys: parseClusterSecret(more.secret ?? SECRET),
    bootEpoch: initiator ? 11 : 22,
    random,
    now,
    ...(more.expected && { expected: more.expected.peer }),
  });
}

function taken(result: ReturnType<ControlLink['receive']>): LinkProgress {
  assert.ok(result.ok);
  return result.value;
}

function open(a: ControlLink, b: ControlLink): { atA: LinkProgress; atB: LinkProgress } {
  const one = taken(b.receive(a.start(), now));
  const atA = taken(a.receive(one.send, now));
  const atB = taken(b.receive(atA.send, now));
  return { atA, atB };
}

describe('control links', () => {
  it('tell each side who the other is, and carry frames both ways', () => {
    const [a, b] = [link(alice, true), link(bob, false)];
    assert.equal(a.send(new Uint8Array(1)), undefined);
    const { atA, atB } = open(a, b);
    assert.deepEqual(atA.opened, { id: bob.peer, noiseKey: bob.noise.publicKey, epoch: 22 });
    assert.deepEqual(atB.opened, { id: alice.peer, noiseKey: alice.noise.publicKey, epoch: 11 });
    const large = random.bytes(LINK_FRAME_MAX);
    assert.deepEqual(taken(b.receive(a.send(large)!, now)).frames, [large]);
    assert.deepEqual(taken(a.receive(b.send(new Uint8Array(0))!, now)).frames, [new Uint8Array(0)]);
    assert.equal(a.nextTimeout(), undefined);
  });

  it('do not care how TCP cuts the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 20 }), (cuts) => {
        const [a, b] = [link(alice, true), link(bob, false)];
        const feed = (to: ControlLink, bytes: Uint8Array): { send: Uint8Array; frames: Uint8Array[] } => {
          const send: Uint8Array[] = [];
          const frames: Uint8Array[] = [];
          for (let i = 0, at = 0; at < bytes.length; i++) {
            const end = at + cuts[i % cuts.length]!;
            const progress = taken(to.receive(bytes.slice(at, end), now));
            send.push(progress.send);
            frames.push(...progress.frames);
            at = end;
          }
          return { send: concat(...send), frames };
        };
        const two = feed(b, a.start()).send;
        const three = feed(a, two).send;
        // The first frames come in behind the handshake at once.
        const words = [Uint8Array.of(1), Uint8Array.of(2, 3)];
        const { frames } = feed(b, concat(three, ...words.map((word) => a.send(word)!)));
        assert.deepEqual(frames, words);
      }),
      { numRuns: 30 },
    );
  });

  it('say nothing to a stranger', () => {
    const b = link(bob, false);
    const stranger = link(alice, true, {
      secret: 'aa11bb22cc33dd44ee55ff6677889900102132435465768798a9bacbdcedfe0f',
    });
    assert.deepEqual(b.receive(stranger.start(), now), { ok: false, reason: 'bad-tag' });
    assert.deepEqual(b.receive(new Uint8Array(1), now), { ok: false, reason: 'bad-tag' });
    const http = link(bob, false).receive(new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'), now);
    assert.ok(!http.ok || http.value.send.length === 0);
  });

  it('end with another peer than the one that was meant, and with oneself', () => {
    const [a, b] = [link(alice, true, { expected: alice }), link(bob, false)];
    const two = taken(b.receive(a.start(), now)).send;
    assert.deepEqual(a.receive(two, now), { ok: false, reason: 'unexpected-peer' });
    assert.equal(a.isOpen, false);
    const [x, y] = [link(alice, true), link(alice, false)];
    const self = x.receive(taken(y.receive(x.start(), now)).send, now);
    assert.deepEqual(self, { ok: false, reason: 'self' });
  });

  it('end when the handshake takes too long, and not later', () => {
    const silent = link(bob, false);
    assert.equal(silent.tick(instant(LINK_FIRST_MESSAGE_MS - 1)), undefined);
    assert.equal(silent.tick(instant(LINK_FIRST_MESSAGE_MS)), 'timeout');
    const b = link(bob, false);
    taken(b.receive(link(alice, true).start(), now));
    assert.equal(b.nextTimeout(), LINK_HANDSHAKE_MS);
    assert.equal(b.tick(instant(LINK_HANDSHAKE_MS - 1)), undefined);
    assert.equal(b.tick(instant(LINK_HANDSHAKE_MS)), 'timeout');
    assert.deepEqual(b.receive(link(alice, true).start(), instant(1)), { ok: false, reason: 'timeout' });
    const [a, c] = [link(alice, true), link(bob, false)];
    open(a, c);
    assert.equal(a.tick(instant(10 * LINK_HANDSHAKE_MS)), undefined);
    assert.ok(a.isOpen && c.isOpen);
  });

  it('end at the first altered, repeated or missing frame', () => {
    for (const harm of ['alter', 'repeat', 'skip'] as const) {
      const [a, b] = [link(alice, true), link(bob, false)];
      open(a, b);
      const [one, two] = [a.send(Uint8Array.of(1))!, a.send(Uint8Array.of(2))!];
      if (harm === 'alter') one[3]! ^= 1;
      const bytes = harm === 'repeat' ? concat(one, one) : harm === 'skip' ? two : one;
      assert.deepEqual(b.receive(bytes, now), { ok: false, reason: 'bad-tag' });
      assert.equal(b.send(new Uint8Array(1)), undefined);
    }
  });

  it('can be closed at any time', () => {
    const a = link(alice, true);
    a.start();
    a.close();
    assert.deepEqual(a.receive(new Uint8Array(4), now), { ok: false, reason: 'closed' });
    const [b, c] = [link(alice, true), link(bob, false)];
    open(b, c);
    b.close();
    assert.equal(b.isOpen, false);
    assert.equal(b.send(new Uint8Array(1)), undefined);
  });
});
