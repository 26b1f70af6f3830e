import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concat, utf8 } from '../../../../base/bytes.ts';
import {
  type ClusterKeys,
  generateClusterSecret,
  parseClusterSecret,
} from '../../../../crypto/cluster-secret.ts';
import { generateIdentity, type Identity, sign } from '../../../../crypto/identity.ts';
import { HandshakeState, type NoiseRole } from '../../../../crypto/noise.ts';
import { cryptoReady } from '../../../../crypto/ready.ts';
import { generateKeyPair, type KeyPair } from '../../../../crypto/x25519.ts';
import { frame } from '../../../../router/link/frame-reader.ts';
import {
  LINK_HANDSHAKE_FRAME_MAX,
  LINK_PAYLOAD_MAX,
  LinkHandshake,
  type LinkHandshakeFault,
  type OpenedLink,
} from '../../../../router/link/link-handshake.ts';
import { seededRandom } from '../../../seeded-random.ts';

const random = seededRandom(30);
let cluster: ClusterKeys;
let alice: Identity;
let bob: Identity;

function link(
  role: NoiseRole,
  identity: Identity,
  payload: Uint8Array = new Uint8Array(0),
  keys = cluster,
): LinkHandshake {
  return new LinkHandshake({ role, identity, cluster: keys, random, payload });
}

/** The Noise handshake of a link without the link's own checks, for those who break its rules. */
function bareNoise(role: NoiseRole, staticKey: KeyPair): HandshakeState {
  return new HandshakeState({
    pattern: 'XXpsk0',
    role,
    prologue: concat(utf8('weft link v1'), cluster.clusterId),
    staticKey,
    psks: [cluster.psk],
    random,
  });
}

/** Carries bytes between the two, `step` at a time, until both opened or one failed. */
function connect(
  a: LinkHandshake,
  b: LinkHandshake,
  step = 1 << 20,
): [OpenedLink, OpenedLink] | LinkHandshakeFault {
  const waiting: { a: Uint8Array[]; b: Uint8Array[] } = { a: [], b: [a.start()] };
  const opened: { a?: OpenedLink; b?: OpenedLink } = {};
  for (let round = 0; round < 4 && !(opened.a && opened.b); round++) {
    for (const side of ['b', 'a'] as const) {
      const stream = concat(...waiting[side].splice(0));
      for (let at = 0; at < stream.length; at += step) {
        const progress = (side === 'a' ? a : b).receive(stream.subarray(at, at + step));
        if (!progress.ok) return progress.reason;
        waiting[side === 'a' ? 'b' : 'a'].push(progress.value.send);
        if (progress.value.opened) opened[side] = progress.value.opened;
      }
    }
  }
  assert.ok(opened.a && opened.b, 'three messages are enough');
  return [opened.a, opened.b];
}

describe('link handshake', () => {
  before(async () => {
    await cryptoReady;
    cluster = parseClusterSecret(generateClusterSecret(random));
    alice = generateIdentity(random);
    bob = generateIdentity(random);
  });

  it('names each side to the other, with its key and its words, and opens a channel', () => {
    for (const step of [1, 7, 1 << 20]) {
      const ends = connect(
        link('initiator', alice, utf8('from alice')),
        link('responder', bob, utf8('from bob')),
        step,
      );
      assert.ok(Array.isArray(ends));
      const [a, b] = ends;
      assert.equal(a.peer, bob.peer);
      assert.equal(b.peer, alice.peer);
      assert.deepEqual(a.noiseKey, bob.noise.publicKey);
      assert.deepEqual(b.noiseKey, alice.noise.publicKey);
      assert.deepEqual(a.payload, utf8('from bob'));
      assert.deepEqual(b.payload, utf8('from alice'));
      assert.deepEqual(b.channel.receive(a.channel.seal(utf8('hello'))), {
        ok: true,
        value: [utf8('hello')],
      });
      assert.deepEqual(a.channel.receive(b.channel.seal(utf8('hi'))), { ok: true, value: [utf8('hi')] });
    }
  });

  it('passes on what came in one piece with the last message', () => {
    const [a, b] = [link('initiator', alice), link('responder', bob)];
    const second = b.receive(a.start());
    assert.ok(second.ok);
    const third = a.receive(second.value.send);
    assert.ok(third.ok && third.value.opened);
    const { channel } = third.value.opened;
    const sealed = [channel.seal(utf8('one')), channel.seal(utf8('two'))];
    const all = concat(third.value.send, ...sealed);
    const done = b.receive(all.subarray(0, all.length - 5));
    assert.ok(done.ok && done.value.opened);
    assert.deepEqual(done.value.opened.plaintexts, [utf8('one')]);
    const rest = done.value.opened.channel.receive(all.subarray(all.length - 5));
    assert.deepEqual(rest, { ok: true, value: [utf8('two')] });
  });

  it('carries the longest payload within the bound of its frames', () => {
    const payload = new Uint8Array(LINK_PAYLOAD_MAX).fill(5);
    assert.ok(Array.isArray(connect(link('initiator', alice, payload), link('responder', bob, payload))));
    assert.throws(() => link('initiator', alice, new Uint8Array(LINK_PAYLOAD_MAX + 1)));
    assert.ok(LINK_PAYLOAD_MAX + 200 <= LINK_HANDSHAKE_FRAME_MAX);
  });

  it('gives who lacks the secret not a byte', () => {
    const other = parseClusterSecret(generateClusterSecret(random));
    const b = link('responder', bob);
    const stranger = link('initiator', alice, undefined, other);
    assert.deepEqual(b.receive(stranger.start()), { ok: false, reason: 'bad-tag' });
    assert.deepEqual(b.receive(link('initiator', alice).start()), { ok: false, reason: 'bad-tag' });
  });

  it('cuts off a frame beyond the bound before it has arrived', () => {
    const announced = Uint8Array.of(1, LINK_HANDSHAKE_FRAME_MAX >> 8);
    assert.deepEqual(link('responder', bob).receive(announced), { ok: false, reason: 'frame-too-long' });
  });

  it('refuses a member that names itself with the key of another', () => {
    const liar: Identity = { ...alice, peer: bob.peer };
    assert.equal(
      connect(link('initiator', liar), link('responder', generateIdentity(random))),
      'bad-credential',
    );
    assert.equal(
      connect(link('initiator', bob), link('responder', { ...alice, peer: bob.peer })),
      'bad-credential',
    );
  });

  it('refuses the credential of a peer that was heard in another connection', () => {
    // A member lets Alice connect to it and shows to Bob what she said, under a static key of its own.
    const noise = (role: NoiseRole) => bareNoise(role, generateKeyPair(random));
    const trap = noise('responder');
    const victim = bareNoise('initiator', alice.noise);
    const say = (from: HandshakeState, to: HandshakeState, payload: Uint8Array): Uint8Array => {
      const written = from.writeMessage(payload);
      assert.ok(written.ok);
      const read = to.readMessage(written.value);
      assert.ok(read.ok);
      return read.value;
    };
    say(victim, trap, new Uint8Array(0));
    say(trap, victim, new Uint8Array(0));
    const statement = concat(
      utf8('weft link credential v1'),
      cluster.clusterId,
      victim.handshakeHash,
      alice.noise.publicKey,
    );
    const heard = say(victim, trap, concat(alice.signing.publicKey, sign(alice, statement)));

    const liar = noise('initiator');
    const first = liar.writeMessage(new Uint8Array(0));
    assert.ok(first.ok);
    const honest = link('responder', bob);
    const answer = honest.receive(frame(first.value));
    assert.ok(answer.ok);
    assert.ok(liar.readMessage(answer.value.send.subarray(2)).ok);
    const last = liar.writeMessage(heard);
    assert.ok(last.ok);
    assert.deepEqual(honest.receive(frame(last.value)), { ok: false, reason: 'bad-credential' });
  });

  it('proves the statement it signs: the same bytes by the right holder are accepted', () => {
    const initiator = bareNoise('initiator', alice.noise);
    const first = initiator.writeMessage(new Uint8Array(0));
    assert.ok(first.ok);
    const honest = link('responder', bob);
    const answer = honest.receive(frame(first.value));
    assert.ok(answer.ok);
    assert.ok(initiator.readMessage(answer.value.send.subarray(2)).ok);
    const statement = concat(
      utf8('weft link credential v1'),
      cluster.clusterId,
      initiator.handshakeHash,
      alice.noise.publicKey,
    );
    const last = initiator.writeMessage(concat(alice.signing.publicKey, sign(alice, statement)));
    assert.ok(last.ok);
    const opened = honest.receive(frame(last.value));
    assert.ok(opened.ok && opened.value.opened);
    assert.equal(opened.value.opened.peer, alice.peer);
  });

  it('refuses words in the first message, which has no forward secrecy to keep them', () => {
    const talker = bareNoise('initiator', alice.noise);
    const first = talker.writeMessage(utf8('x'));
    assert.ok(first.ok);
    const progress = link('responder', bob).receive(frame(first.value));
    assert.deepEqual(progress, { ok: false, reason: 'frame-too-long' });
  });

  it('notices that it reached itself', () => {
    assert.equal(connect(link('initiator', alice), link('responder', alice)), 'self');
  });

  it('fails on any flipped bit, to the end', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(0, 1, 2), (flip, which) => {
        const [a, b] = [link('initiator', alice), link('responder', bob)];
        let bytes = a.start();
        let reader = b;
        for (let message = 0; ; message++) {
          if (message === which) {
            const altered = bytes.slice();
            // Behind the length: a longer frame would only be waited for.
            altered[2 + ((flip >> 3) % (altered.length - 2))]! ^= 1 << (flip & 7);
            assert.equal(reader.receive(altered).ok, false);
            assert.equal(reader.receive(bytes).ok, false, 'the connection is over');
            return;
          }
          const progress = reader.receive(bytes);
          assert.ok(progress.ok);
          bytes = progress.value.send;
          reader = reader === a ? b : a;
        }
      }),
      { numRuns: 40 },
    );
  });

  it('refuses empty frames and endless ones without a throw', () => {
    for (const bytes of [frame(new Uint8Array(0)), frame(new Uint8Array(31)), frame(new Uint8Array(9000))]) {
      assert.equal(link('responder', bob).receive(bytes).ok, false);
    }
  });

  it('is over once erased', () => {
    const b = link('responder', bob);
    b.erase();
    assert.equal(b.receive(link('initiator', alice).start()).ok, false);
  });
});
