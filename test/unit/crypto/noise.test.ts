import assert from 'node:assert/strict';
import fc from 'fast-check';
import { hex } from '../../../base/bytes.ts';
import type { RandomSource } from '../../../base/random.ts';
import { HandshakeState, NOISE_MESSAGE_MAX, type NoiseRole } from '../../../crypto/noise.ts';
import { handshakePattern } from '../../../crypto/noise-patterns.ts';
import { cryptoReady } from '../../../crypto/ready.ts';
import { generateKeyPair, type KeyPair } from '../../../crypto/x25519.ts';
import { seededRandom } from '../../seeded-random.ts';

const PATTERNS = ['IKpsk0', 'XXpsk0', 'IKpsk0+psk2', 'XX', 'IK'] as const;
const EMPTY = new Uint8Array(0);
/** A point of small order: X25519 with it is zero for every private key (RFC 7748 §6.1). */
const ZERO_POINT = new Uint8Array(32);

interface World {
  readonly pattern: string;
  readonly random: RandomSource;
  readonly initiatorKey: KeyPair;
  readonly responderKey: KeyPair;
  readonly psks: readonly Uint8Array[];
  readonly prologue: Uint8Array;
}

interface Changes {
  readonly prologue?: Uint8Array;
  readonly psks?: readonly Uint8Array[];
  readonly remoteStatic?: Uint8Array;
  readonly staticKey?: KeyPair;
}

function world(pattern: string, seed: number): World {
  const random = seededRandom(seed);
  return {
    pattern,
    random,
    initiatorKey: generateKeyPair(random),
    responderKey: generateKeyPair(random),
    psks: Array.from({ length: handshakePattern(pattern)!.pskCount }, () => random.bytes(32)),
    prologue: random.bytes(40),
  };
}

function party(w: World, role: NoiseRole, changes: Changes = {}): HandshakeState {
  const knows = handshakePattern(w.pattern)!.responderStaticKnown && role === 'initiator';
  return new HandshakeState({
    pattern: w.pattern,
    role,
    prologue: changes.prologue ?? w.prologue,
    staticKey: changes.staticKey ?? (role === 'initiator' ? w.initiatorKey : w.responderKey),
    ...(knows ? { remoteStatic: changes.remoteStatic ?? w.responderKey.publicKey } : {}),
    psks: changes.psks ?? w.psks,
    random: w.random,
  });
}

/** Runs a handshake to its end; the first fault's reason, or undefined where it came through. */
function run(initiator: HandshakeState, responder: HandshakeState, payload = EMPTY): string | undefined {
  let [writer, reader] = [initiator, responder];
  while (!(initiator.finished && responder.finished)) {
    const written = writer.writeMessage(payload);
    if (!written.ok) return written.reason;
    const read = reader.readMessage(written.value);
    if (!read.ok) return read.reason;
    [writer, reader] = [reader, writer];
  }
  return undefined;
}

describe('noise patterns', () => {
  it('place a psk before the first message or behind the others', () => {
    assert.deepEqual(handshakePattern('IKpsk0')!.messages, [
      ['psk', 'e', 'es', 's', 'ss'],
      ['e', 'ee', 'se'],
    ]);
    assert.deepEqual(handshakePattern('IKpsk0+psk2')!.messages[1], ['e', 'ee', 'se', 'psk']);
    assert.deepEqual(handshakePattern('XXpsk0')!.messages[0], ['psk', 'e']);
    assert.deepEqual(handshakePattern('XXpsk3')!.messages[2], ['s', 'se', 'psk']);
    assert.equal(handshakePattern('XXpsk0+psk1+psk2+psk3')!.pskCount, 4);
  });

  it('are no others than these', () => {
    const unknown = [
      '',
      'NN',
      'IKpsk3',
      'XXpsk4',
      'IKpsk0psk2',
      'IKpsk2+psk0',
      'XXpsk0+psk0',
      'XX+psk0',
      'XXpsk0+',
    ];
    for (const name of [...unknown, 'toString', '__proto__'])
      assert.equal(handshakePattern(name), undefined, name);
  });
});

describe('noise handshake', () => {
  before(() => cryptoReady);

  for (const pattern of PATTERNS) {
    it(`${pattern}: both sides agree on keys, hash and each other, and every payload arrives`, () => {
      const payloads = fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 3, maxLength: 3 });
      fc.assert(
        fc.property(fc.integer(), payloads, (seed, sent) => {
          const w = world(pattern, seed);
          const initiator = party(w, 'initiator');
          const responder = party(w, 'responder');
          for (let turn = 0; !initiator.finished; turn++) {
            const [writer, reader] = turn % 2 === 0 ? [initiator, responder] : [responder, initiator];
            assert.ok(writer.ourTurn && !reader.ourTurn);
            const written = writer.writeMessage(sent[turn]!);
            assert.ok(written.ok);
            const read = reader.readMessage(written.value);
            assert.ok(read.ok);
            assert.deepEqual(read.value, sent[turn]);
            assert.deepEqual(writer.handshakeHash, reader.handshakeHash);
          }
          assert.deepEqual(initiator.remoteStatic, w.responderKey.publicKey);
          assert.deepEqual(responder.remoteStatic, w.initiatorKey.publicKey);
          const a = initiator.split();
          const b = responder.split();
          assert.deepEqual(a.send, b.receive);
          assert.deepEqual(a.receive, b.send);
          assert.deepEqual(a.handshakeHash, b.handshakeHash);
          assert.notDeepEqual(a.send, a.receive);
        }),
        { numRuns: 20 },
      );
    });
  }

  for (const pattern of ['IKpsk0', 'XXpsk0']) {
    it(`${pattern}: any flipped bit or cut in any message fails and leaves no trace`, () => {
      fc.assert(
        fc.property(fc.integer(), fc.array(fc.nat(), { minLength: 6, maxLength: 6 }), (seed, places) => {
          const w = world(pattern, seed);
          const initiator = party(w, 'initiator');
          const responder = party(w, 'responder');
          for (let turn = 0; !initiator.finished; turn++) {
            const [writer, reader] = turn % 2 === 0 ? [initiator, responder] : [responder, initiator];
            const written = writer.writeMessage(w.prologue);
            assert.ok(written.ok);
            const good = written.value;
            const before = { hash: hex(reader.handshakeHash), remote: reader.remoteStatic };
            for (const place of places) {
              const altered = good.slice();
              altered[(place >> 3) % good.length]! ^= 1 << (place & 7);
              assert.equal(reader.readMessage(altered).ok, false);
              assert.equal(reader.readMessage(good.subarray(0, place % good.length)).ok, false);
              assert.deepEqual({ hash: hex(reader.handshakeHash), remote: reader.remoteStatic }, before);
            }
            assert.equal(reader.readMessage(Uint8Array.of(...good, 0)).ok, false);
            assert.ok(reader.readMessage(good).ok, 'the true message still comes through');
          }
          assert.deepEqual(initiator.split().send, responder.split().receive);
        }),
        { numRuns: 15 },
      );
    });

    it(`${pattern}: with another psk or prologue the very first message is refused`, () => {
      const w = world(pattern, 9);
      const psk = w.psks[0]!.slice();
      psk[31]! ^= 0x80;
      const prologue = w.prologue.slice();
      prologue[0]! ^= 1;
      for (const changes of [{ psks: [psk] }, { prologue }, { prologue: EMPTY }]) {
        const written = party(w, 'initiator', changes).writeMessage(EMPTY);
        assert.ok(written.ok);
        assert.deepEqual(party(w, 'responder').readMessage(written.value), { ok: false, reason: 'bad-tag' });
      }
    });

    it(`${pattern}: no message is read as another of the same handshake`, () => {
      const w = world(pattern, 10);
      const [initiator, responder] = [party(w, 'initiator'), party(w, 'responder')];
      const first = initiator.writeMessage(EMPTY);
      assert.ok(first.ok);
      assert.equal(initiator.readMessage(first.value).ok, false, 'its own, sent back');
      assert.ok(responder.readMessage(first.value).ok);
      const again = party(w, 'initiator').writeMessage(EMPTY);
      assert.ok(again.ok);
      const second = responder.writeMessage(EMPTY);
      assert.ok(second.ok);
      assert.ok(initiator.readMessage(second.value).ok);
      if (!responder.finished) assert.equal(responder.readMessage(again.value).ok, false);
    });
  }

  it('IK fails with a responder that does not hold the key it was meant for', () => {
    const w = world('IKpsk0', 11);
    const stranger = generateKeyPair(w.random);
    assert.equal(run(party(w, 'initiator'), party(w, 'responder', { staticKey: stranger })), 'bad-tag');
    assert.equal(
      run(party(w, 'initiator', { remoteStatic: stranger.publicKey }), party(w, 'responder')),
      'bad-tag',
    );
  });

  it('cannot be finished by who shows a static key without holding its private half', () => {
    for (const pattern of ['IKpsk0', 'XXpsk0']) {
      const w = world(pattern, 12);
      const thief = { publicKey: w.initiatorKey.publicKey, privateKey: w.random.bytes(32) };
      assert.equal(
        run(party(w, 'initiator', { staticKey: thief }), party(w, 'responder')),
        'bad-tag',
        pattern,
      );
      const server = { publicKey: w.responderKey.publicKey, privateKey: w.random.bytes(32) };
      assert.equal(
        run(party(w, 'initiator'), party(w, 'responder', { staticKey: server })),
        'bad-tag',
        pattern,
      );
    }
  });

  it('answers a point of small order with a reason, whoever sends it, and recovers', () => {
    const w = world('IKpsk0', 13);
    const written = party(w, 'initiator', { remoteStatic: ZERO_POINT }).writeMessage(EMPTY);
    assert.deepEqual(written, { ok: false, reason: 'zero-point' });

    const weak = { publicKey: ZERO_POINT, privateKey: w.initiatorKey.privateKey };
    assert.equal(run(party(w, 'initiator', { staticKey: weak }), party(w, 'responder')), 'zero-point');

    // The ephemeral key of XX is not mixed before the answer, so there writing finds it out.
    const x = world('XX', 14);
    const responder = party(x, 'responder');
    assert.ok(responder.readMessage(ZERO_POINT).ok);
    assert.deepEqual(responder.writeMessage(EMPTY), { ok: false, reason: 'zero-point' });
    assert.ok(responder.ourTurn);
  });

  it('is stopped by sizes, not by memory', () => {
    const w = world('IKpsk0', 15);
    const responder = party(w, 'responder');
    const reason = (length: number) => {
      const read = responder.readMessage(new Uint8Array(length));
      return read.ok ? undefined : read.reason;
    };
    assert.equal(reason(NOISE_MESSAGE_MAX + 1), 'too-long');
    assert.equal(reason(0), 'too-short');
    assert.equal(reason(31), 'too-short');
    assert.equal(reason(NOISE_MESSAGE_MAX), 'zero-point');
    const largest = NOISE_MESSAGE_MAX - 32 - 48 - 16;
    const initiator = party(w, 'initiator');
    const written = initiator.writeMessage(new Uint8Array(largest));
    assert.ok(written.ok);
    assert.equal(written.value.length, NOISE_MESSAGE_MAX);
    assert.ok(responder.readMessage(written.value).ok);
    assert.throws(() => party(w, 'initiator').writeMessage(new Uint8Array(largest + 1)));
  });

  it('never uses an ephemeral key twice, not even after a failed write', () => {
    const w = world('XXpsk0', 16);
    const first = party(w, 'initiator').writeMessage(EMPTY);
    const second = party(w, 'initiator').writeMessage(EMPTY);
    assert.ok(first.ok && second.ok);
    assert.notDeepEqual(first.value.subarray(0, 32), second.value.subarray(0, 32));
  });

  it('asserts on what only a bug of ours can do', () => {
    const w = world('IKpsk0', 17);
    const initiator = party(w, 'initiator');
    assert.throws(() => initiator.readMessage(EMPTY), 'out of turn');
    assert.throws(() => initiator.split(), 'before the end');
    assert.throws(() => party(w, 'responder').writeMessage(EMPTY), 'out of turn');
    assert.throws(() => party(w, 'initiator', { psks: [] }), 'a psk short');
    assert.throws(() => party(w, 'initiator', { psks: [new Uint8Array(31)] }), 'a short psk');
    assert.throws(() => party({ ...w, pattern: 'XX' }, 'initiator'), 'a psk too many');
    initiator.erase();
    assert.throws(() => initiator.writeMessage(EMPTY), 'erased');
    const [a, b] = [party(w, 'initiator'), party(w, 'responder')];
    assert.equal(run(a, b), undefined);
    a.split();
    assert.throws(() => a.split(), 'twice');
  });

  it('leaves the static keys, the psks and the peer key of the caller alone', () => {
    const w = world('IKpsk0', 18);
    const copy = structuredClone({ i: w.initiatorKey, r: w.responderKey, p: w.psks, q: w.prologue });
    const [a, b] = [party(w, 'initiator'), party(w, 'responder')];
    assert.equal(run(a, b, new Uint8Array(9)), undefined);
    a.split();
    b.split();
    assert.deepEqual({ i: w.initiatorKey, r: w.responderKey, p: w.psks, q: w.prologue }, copy);
  });
});
