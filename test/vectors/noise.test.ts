import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fromHex, hex } from '../../base/bytes.ts';
import type { RandomSource } from '../../base/random.ts';
import { createAead } from '../../crypto/aead.ts';
import { HandshakeState, type NoiseRole } from '../../crypto/noise.ts';
import { cryptoReady } from '../../crypto/ready.ts';
import { keyPairOf } from '../../crypto/x25519.ts';

interface NoiseVector {
  readonly source: string;
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly init_remote_static?: string;
  readonly init_psks?: readonly string[];
  readonly resp_prologue: string;
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly resp_psks?: readonly string[];
  readonly handshake_hash?: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

const EMPTY = new Uint8Array(0);
const path = new URL('./data/noise.json', import.meta.url);
const vectors = (JSON.parse(readFileSync(path, 'utf8')) as { tests: NoiseVector[] }).tests;

describe('published Noise vectors', () => {
  before(() => cryptoReady);

  it('are all there, with every place of a psk', () => {
    assert.ok(vectors.length >= 12);
    const names = vectors.map((vector) => vector.protocol_name);
    for (const part of ['IK_', 'XX_', 'IKpsk0+psk2_', 'XXpsk0+psk1_', 'XXpsk0+psk3_', 'IKpsk1_', 'XXpsk3_']) {
      assert.ok(
        names.some((name) => name.includes(part)),
        part,
      );
    }
  });

  for (const vector of vectors) {
    it(`${vector.protocol_name} of ${vector.source}`, () => {
      const initiator = party(vector, 'initiator');
      const responder = party(vector, 'responder');
      let turn = 0;
      while (!initiator.finished) {
        const [writer, reader] = turn % 2 === 0 ? [initiator, responder] : [responder, initiator];
        const { payload, ciphertext } = vector.messages[turn++]!;
        const written = writer.writeMessage(bytes(payload));
        assert.ok(written.ok);
        assert.equal(hex(written.value), ciphertext);
        const read = reader.readMessage(bytes(ciphertext));
        assert.ok(read.ok);
        assert.equal(hex(read.value), payload);
      }
      assert.ok(responder.finished);
      const fromInitiator = initiator.split();
      const fromResponder = responder.split();
      if (vector.handshake_hash) assert.equal(hex(fromInitiator.handshakeHash), vector.handshake_hash);
      assert.deepEqual(fromInitiator.handshakeHash, fromResponder.handshakeHash);

      let transported = 0;
      const counters = [0, 0];
      for (; turn < vector.messages.length; turn++, transported++) {
        const { payload, ciphertext } = vector.messages[turn]!;
        const sender = turn % 2;
        const keys = sender === 0 ? fromInitiator : fromResponder;
        const otherKeys = sender === 0 ? fromResponder : fromInitiator;
        const counter = counters[sender]!++;
        const sealed = createAead('chacha20-poly1305', keys.send).seal(counter, EMPTY, bytes(payload));
        assert.equal(hex(sealed), ciphertext);
        const opened = createAead('chacha20-poly1305', otherKeys.receive).open(counter, EMPTY, sealed);
        assert.equal(hex(opened!), payload);
      }
      assert.ok(transported > 0, 'the vector goes on after the handshake');
    });
  }
});

function party(vector: NoiseVector, role: NoiseRole): HandshakeState {
  const prefix = role === 'initiator' ? 'init' : 'resp';
  const remote = role === 'initiator' ? vector.init_remote_static : undefined;
  return new HandshakeState({
    pattern: vector.protocol_name.split('_')[1]!,
    role,
    prologue: bytes(vector[`${prefix}_prologue`]),
    staticKey: keyPairOf(bytes(vector[`${prefix}_static`])),
    ...(remote === undefined ? {} : { remoteStatic: bytes(remote) }),
    psks: (vector[`${prefix}_psks`] ?? []).map(bytes),
    random: always(bytes(vector[`${prefix}_ephemeral`])),
  });
}

function always(value: Uint8Array): RandomSource {
  return {
    bytes(length) {
      assert.equal(length, value.length);
      return value.slice();
    },
  };
}

function bytes(text: string): Uint8Array {
  return fromHex(text)!;
}
