import { strict as assert } from 'node:assert';
import { concat, writeU32LE } from '../../../../base/bytes.ts';
import { Counters } from '../../../../base/counters.ts';
import { instant } from '../../../../base/instant.ts';
import { peerIdBytes } from '../../../../base/peer-id.ts';
import { parseClusterSecret } from '../../../../crypto/cluster-secret.ts';
import { CookieJar, MACS_LENGTH, macKeysOf } from '../../../../crypto/cookie.ts';
import { generateIdentity } from '../../../../crypto/identity.ts';
import { cryptoReady } from '../../../../crypto/ready.ts';
import { suiteBitmap } from '../../../../crypto/suite.ts';
import { SymmetricState } from '../../../../crypto/symmetric-state.ts';
import { generateKeyPair, x25519 } from '../../../../crypto/x25519.ts';
import { type Datapath, type DataSession, NO_STATS } from '../../../../router/datapath/datapath.ts';
import {
  type HandshakeSelf,
  INITIATION_LENGTH,
  Initiation,
  RESPONSE_LENGTH,
  ReceivedInitiation,
} from '../../../../router/handshake/handshake.ts';
import {
  decodeInitiationPayload,
  decodeResponsePayload,
  encodeInitiationPayload,
  encodeResponsePayload,
  type InitiationPayload,
} from '../../../../router/handshake/handshake-payload.ts';
import { TUNNEL_COUNTERS } from '../../../../router/tunnel/tunnel-counters.ts';
import { Tunnels } from '../../../../router/tunnel/tunnels.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { at, SECRET } from '../tunnel/tunnel-net.ts';

await cryptoReady;

const random = seededRandom(4);
const clusterKeys = parseClusterSecret(SECRET);
const [alice, bob, carol] = [1, 2, 3].map(
  (n): HandshakeSelf => ({ identity: generateIdentity(seededRandom(n)), clusterKeys, random }),
) as [HandshakeSelf, HandshakeSelf, HandshakeSelf];
const NONE = new Uint8Array(16);
const PAYLOAD: InitiationPayload = {
  epoch: 2 ** 40 + 5,
  sequence: 7,
  peer: alice.identity.peer,
  suites: 3,
  takesMarks: true,
  mtu: 1364,
  token: NONE,
};
const ACCEPTED = {
  outcome: 'accepted',
  epoch: 3,
  mtu: 1400,
  suite: 'chacha20-poly1305',
  index: 77,
  takesMarks: true,
} as const;

function initiate(from = alice, to = bob, payload = PAYLOAD): Initiation {
  const peer = { peer: to.identity.peer, noiseKey: to.identity.noise.publicKey };
  const made = Initiation.create(from, peer, 0xdeadbeef, payload);
  assert.ok(made.ok);
  return made.value;
}

const padded = (body: Uint8Array): Uint8Array => concat(body, new Uint8Array(MACS_LENGTH));

describe('the handshake', () => {
  it('leaves both ends with the same keys crosswise, and each knows who the other is', () => {
    const initiation = initiate();
    const packet = padded(initiation.body);
    assert.equal(packet.length, INITIATION_LENGTH);
    const received = ReceivedInitiation.read(bob, packet);
    assert.ok(received.ok);
    assert.deepEqual(received.value.payload, PAYLOAD);
    assert.deepEqual(received.value.noiseKey, alice.identity.noise.publicKey);
    assert.equal(received.value.remoteIndex, 0xdeadbeef);
    const answer = received.value.respond(ACCEPTED);
    assert.ok(answer.ok);
    const response = padded(answer.value.body);
    assert.equal(response.length, RESPONSE_LENGTH);
    const read = initiation.readResponse(response);
    assert.ok(read.ok);
    assert.deepEqual(read.value.payload, ACCEPTED);
    assert.deepEqual(read.value.keys!.sendKey, answer.value.keys!.receiveKey);
    assert.deepEqual(read.value.keys!.receiveKey, answer.value.keys!.sendKey);
    assert.notDeepEqual(read.value.keys!.sendKey, read.value.keys!.receiveKey);
  });

  it('cannot be read by another member, nor by one of another cluster', () => {
    const packet = padded(initiate().body);
    assert.deepEqual(ReceivedInitiation.read(carol, packet), { ok: false, reason: 'unreadable' });
    const foreign = parseClusterSecret('aa11bb22cc33dd44ee55ff6677889900102132435465768798a9bacbdcedfe0f');
    const stranger = { ...bob, clusterKeys: foreign };
    assert.deepEqual(ReceivedInitiation.read(stranger, packet), { ok: false, reason: 'unreadable' });
  });

  it('binds every byte before the MACs, the clear header among them', () => {
    const packet = padded(initiate().body);
    for (let i = 0; i < packet.length - MACS_LENGTH; i++) {
      const changed = packet.slice();
      changed[i]! ^= 1;
      assert.equal(ReceivedInitiation.read(bob, changed).ok, false, `byte ${i}`);
    }
  });

  it('survives a forged response: the true one still completes it', () => {
    const initiation = initiate();
    const received = ReceivedInitiation.read(bob, padded(initiation.body));
    assert.ok(received.ok);
    const answer = received.value.respond(ACCEPTED);
    assert.ok(answer.ok);
    const response = padded(answer.value.body);
    for (let i = 8; i < RESPONSE_LENGTH - MACS_LENGTH; i++) {
      const changed = response.slice();
      changed[i]! ^= 0x80;
      // The top bit of an X25519 key is ignored by the multiplication, but not by the hash.
      assert.deepEqual(initiation.readResponse(changed), { ok: false, reason: 'unreadable' }, `byte ${i}`);
    }
    assert.deepEqual(initiation.readResponse(response.subarray(1)), { ok: false, reason: 'badForm' });
    assert.ok(initiation.readResponse(response).ok);
  });

  it('carries a refusal with its token and no keys', () => {
    const initiation = initiate();
    const received = ReceivedInitiation.read(bob, padded(initiation.body));
    assert.ok(received.ok);
    const token = random.bytes(16);
    const answer = received.value.respond({ outcome: 'regressed', epoch: 3, mtu: 1400, token });
    assert.ok(answer.ok && answer.value.keys === undefined);
    const read = initiation.readResponse(padded(answer.value.body));
    assert.ok(read.ok && read.value.keys === undefined && read.value.payload.outcome === 'regressed');
    assert.deepEqual(read.value.payload.token, token);
  });

  it('refuses payloads with fields out of bounds', () => {
    const good = encodeInitiationPayload(PAYLOAD);
    assert.deepEqual(decodeInitiationPayload(good), PAYLOAD);
    const changed = (offset: number, value: number): Uint8Array => {
      const bytes = good.slice();
      bytes[offset] = value;
      return bytes;
    };
    assert.equal(decodeInitiationPayload(changed(7, 255)), undefined, 'epoch beyond 2^53');
    assert.equal(decodeInitiationPayload(changed(15, 255)), undefined, 'sequence beyond 2^53');
    assert.equal(decodeInitiationPayload(changed(51, 0)), undefined, 'MTU below 1280');
    assert.equal(decodeInitiationPayload(good.subarray(1)), undefined);
    const answer = encodeResponsePayload(ACCEPTED);
    assert.deepEqual(decodeResponsePayload(answer), ACCEPTED);
    for (const [offset, value] of [
      [0, 2],
      [1, 0],
      [1, 9],
      [3, 0],
      [15, 255],
    ] as const) {
      const bytes = answer.slice();
      bytes[offset] = value;
      assert.equal(decodeResponsePayload(bytes), undefined, `byte ${offset} = ${value}`);
    }
    answer.fill(0, 4, 8);
    assert.equal(decodeResponsePayload(answer), undefined, 'index 0');
  });
});

/**
 * An initiation in Alice's name without Alice's key: whoever holds the responder's static key can compute `es` and
 * `ss` from that side (key compromise impersonation, Noise §7.7).
 */
function forge(victim: HandshakeSelf, thiefOf: HandshakeSelf, localIndex: number): Uint8Array {
  const header = new Uint8Array(8);
  header[0] = 1;
  writeU32LE(header, 4, localIndex);
  const stolen = thiefOf.identity.noise;
  const state = new SymmetricState('Noise_IKpsk0_25519_ChaChaPoly_BLAKE2b');
  const label = new TextEncoder().encode('weft tunnel v1');
  state.mixHash(concat(label, clusterKeys.clusterId, header, peerIdBytes(thiefOf.identity.peer)));
  state.mixHash(stolen.publicKey);
  state.mixKeyAndHash(clusterKeys.psk);
  const ephemeral = generateKeyPair(random);
  state.mixHash(ephemeral.publicKey);
  state.mixKey(ephemeral.publicKey);
  state.mixKey(x25519(ephemeral.privateKey, stolen.publicKey)!);
  const sealedStatic = state.encryptAndHash(victim.identity.noise.publicKey);
  state.mixKey(x25519(stolen.privateKey, victim.identity.noise.publicKey)!);
  const payload = encodeInitiationPayload({ ...PAYLOAD, epoch: 2 ** 52, sequence: 1 });
  const packet = padded(concat(header, ephemeral.publicKey, sealedStatic, state.encryptAndHash(payload)));
  new CookieJar(macKeysOf(clusterKeys.mac1Key, stolen.publicKey)).stamp(packet, instant(0));
  return packet;
}

describe('a thief of the responder key', () => {
  it('can forge an initiation of any peer, and gets neither the session used nor the peer shut out', () => {
    const calls: string[] = [];
    const installed: DataSession[] = [];
    const sent: Uint8Array[] = [];
    const datapath: Datapath = {
      install: (session) => void installed.push({ ...session }),
      use: (index) => void calls.push(`use ${index}`),
      remove: () => undefined,
      setPath: (_peer, path) => void calls.push(`path ${JSON.stringify(path)}`),
      setMtu: () => undefined,
      setRoutes: () => undefined,
      setPorts: () => undefined,
      sendControl: () => {
        calls.push('control');
        return true;
      },
      sendForeign: (_path, _to, packet) => {
        sent.push(packet);
        return true;
      },
      stats: () => NO_STATS,
      totals: () => NO_STATS,
      progress: () => undefined,
      addTraffic: () => undefined,
    };
    const counters = new Counters(TUNNEL_COUNTERS);
    const tunnels = new Tunnels({
      identity: bob.identity,
      clusterKeys,
      bootEpoch: 1,
      suites: ['chacha20-poly1305'],
      takesMarks: true,
      random,
      counters,
      datapath,
    });
    const home = at('192.0.2.1:1');
    const info = { noiseKey: alice.identity.noise.publicKey, endpoints: [home], epoch: 1 };
    tunnels.setPeer(alice.identity.peer, info, instant(0));
    const from = { kind: 'direct', endpoint: at('203.0.113.9:9') } as const;
    tunnels.foreign(forge(alice, bob, 1234), from, instant(10));
    assert.equal(counters.get('handshake.answered'), 1, 'the forgery is read: the test is about something');
    assert.equal(installed.length, 1);
    tunnels.tick(instant(11));
    assert.equal(calls.length, 0, 'nothing is used, sent or moved');
    assert.equal(tunnels.status(alice.identity.peer)!.state, 'idle');
    // The forgery has raised the mark as far as it goes. Alice is asked for the token, and is in.
    const first = initiate(alice, bob, { ...PAYLOAD, suites: suiteBitmap(['chacha20-poly1305']), epoch: 1 });
    const stamp = (body: Uint8Array): Uint8Array => {
      const packet = padded(body);
      const keys = macKeysOf(clusterKeys.mac1Key, bob.identity.noise.publicKey);
      new CookieJar(keys).stamp(packet, instant(0));
      return packet;
    };
    tunnels.foreign(stamp(first.body), { kind: 'direct', endpoint: home }, instant(100));
    const refusal = first.readResponse(sent.at(-1)!);
    assert.ok(refusal.ok && refusal.value.payload.outcome === 'regressed');
    const second = initiate(alice, bob, {
      ...PAYLOAD,
      suites: 1,
      epoch: 1,
      sequence: 8,
      token: refusal.value.payload.token,
    });
    tunnels.foreign(stamp(second.body), { kind: 'direct', endpoint: home }, instant(101));
    const answer = second.readResponse(sent.at(-1)!);
    assert.ok(answer.ok && answer.value.payload.outcome === 'accepted');
    tunnels.confirmed(installed.at(-1)!.localIndex, { kind: 'direct', endpoint: home }, instant(102));
    assert.equal(tunnels.status(alice.identity.peer)!.state, 'established');
    assert.ok(calls.includes(`use ${installed.at(-1)!.localIndex}`));
  });
});
