import assert from 'node:assert/strict';
import { parseEndpoint } from '../../base/endpoint.ts';
import { instant } from '../../base/instant.ts';
import { createAead } from '../../crypto/aead.ts';
import { chooseAeads } from '../../crypto/choose-aeads.ts';
import { parseClusterSecret } from '../../crypto/cluster-secret.ts';
import { CookieJar, CookieJudge, macKeysOf } from '../../crypto/cookie.ts';
import { generateIdentity, verifySignature } from '../../crypto/identity.ts';
import { HandshakeState } from '../../crypto/noise.ts';
import { cryptoReady } from '../../crypto/ready.ts';
import { ReplayWindow } from '../../crypto/replay-window.ts';
import { AEAD_MAKERS } from '../../router/datapath/sleeve/aead-makers.io.ts';
import { FrameReader } from '../../router/link/frame-reader.ts';
import { LINK_HANDSHAKE_FRAME_MAX, LinkHandshake } from '../../router/link/link-handshake.ts';
import { SecureChannel } from '../../router/link/secure-channel.ts';
import { seededRandom } from '../seeded-random.ts';

/** Something that reads bytes of the network. `run` throws where a property of it is broken. */
export interface FuzzTarget {
  readonly name: string;
  run(bytes: Uint8Array): void;
}

await cryptoReady;

const now = instant(0);
const random = seededRandom(20);
const us = generateIdentity(random);
const them = generateIdentity(random);
const cluster = parseClusterSecret('6b1f0c2d9e8a7b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f998877665544332211');
const keys = { send: random.bytes(32), receive: random.bytes(32), handshakeHash: random.bytes(64) };
const macKeys = macKeysOf(cluster.mac1Key, us.noise.publicKey);
const judge = new CookieJudge(macKeys, random, now);
const suites = chooseAeads(AEAD_MAKERS);
const aeads = [
  createAead('chacha20-poly1305', random.bytes(32)),
  ...suites.suites.map((suite) => suites.create(suite, random.bytes(32))),
];
const source = parseEndpoint('192.0.2.1:6783')!;

const responder = new HandshakeState({
  pattern: 'IKpsk0',
  role: 'responder',
  prologue: cluster.clusterId,
  staticKey: us.noise,
  psks: [cluster.psk],
  random,
});

/** One that waits for message 2, so that the deeper half of the interpreter is reached too. */
const initiator = new HandshakeState({
  pattern: 'IKpsk0',
  role: 'initiator',
  prologue: cluster.clusterId,
  staticKey: us.noise,
  remoteStatic: them.noise.publicKey,
  psks: [cluster.psk],
  random,
});
initiator.writeMessage(new Uint8Array(0));

/** Every decoder of the crypto folder that hostile bytes reach. No random bytes may get through any of them. */
export const cryptoFuzzTargets: readonly FuzzTarget[] = [
  {
    name: 'noise IK message 1',
    run(bytes) {
      const before = responder.handshakeHash;
      assert.equal(responder.readMessage(bytes).ok, false);
      assert.deepEqual(responder.handshakeHash, before, 'a message that was refused leaves no trace');
      assert.equal(responder.remoteStatic, undefined);
    },
  },
  {
    name: 'noise IK message 2',
    run(bytes) {
      const before = initiator.handshakeHash;
      assert.equal(initiator.readMessage(bytes).ok, false);
      assert.deepEqual(initiator.handshakeHash, before, 'a message that was refused leaves no trace');
    },
  },
  {
    name: 'link handshake, responder',
    run(bytes) {
      const link = new LinkHandshake({ role: 'responder', identity: us, cluster, random });
      for (const piece of pieces(bytes)) {
        const progress = link.receive(piece);
        if (progress.ok) assert.equal(progress.value.send.length, 0, 'silence for who lacks the secret');
      }
    },
  },
  {
    name: 'link handshake, initiator',
    run(bytes) {
      const link = new LinkHandshake({ role: 'initiator', identity: us, cluster, random });
      link.start();
      for (const piece of pieces(bytes)) {
        const progress = link.receive(piece);
        if (progress.ok) assert.equal(progress.value.opened, undefined);
      }
    },
  },
  {
    name: 'secure channel',
    run(bytes) {
      const channel = new SecureChannel(keys);
      for (const piece of pieces(bytes)) {
        const received = channel.receive(piece);
        if (received.ok) assert.equal(received.value.length, 0);
        assert.ok(channel.pendingBytes <= bytes.length);
      }
    },
  },
  {
    name: 'frame reader',
    run(bytes) {
      const reader = new FrameReader(LINK_HANDSHAKE_FRAME_MAX);
      for (const piece of pieces(bytes)) {
        reader.push(piece);
        for (let body = reader.next(); body !== undefined && body !== 'too-long'; body = reader.next()) {
          assert.ok(body.length <= LINK_HANDSHAKE_FRAME_MAX);
        }
      }
      assert.ok(reader.takeRest().length <= LINK_HANDSHAKE_FRAME_MAX + 2);
    },
  },
  {
    name: 'cookie judge',
    run(bytes) {
      assert.equal(judge.judge(bytes, source, now), 'none');
    },
  },
  {
    name: 'cookie reply',
    run(bytes) {
      const jar = new CookieJar(macKeys);
      jar.stamp(new Uint8Array(148), now);
      assert.equal(jar.take(bytes, now).ok, false);
    },
  },
  {
    name: 'data packet',
    run(bytes) {
      const window = new ReplayWindow();
      const counter = bytes.length >= 8 ? new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0) : -1;
      if (window.check(counter)) {
        for (const aead of aeads)
          assert.equal(aead.open(counter, bytes.subarray(0, 16), bytes.subarray(16)), undefined);
      }
    },
  },
  {
    name: 'signature',
    run(bytes) {
      assert.equal(verifySignature(us.peer, bytes.subarray(64), bytes.subarray(0, 64)), false);
    },
  },
];

/** The input cut in up to three, at places its own first bytes name. */
function pieces(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length < 4) return [bytes];
  const first = bytes[0]! % bytes.length;
  const second = first + (bytes[1]! % (bytes.length - first));
  return [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
}
