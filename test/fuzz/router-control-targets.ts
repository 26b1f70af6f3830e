import assert from 'node:assert/strict';
import { concat, equalBytes } from '../../base/bytes.ts';
import { Counters } from '../../base/counters.ts';
import { parseEndpoint } from '../../base/endpoint.ts';
import { after, instant } from '../../base/instant.ts';
import { parseClusterSecret } from '../../crypto/cluster-secret.ts';
import { CookieJar, MACS_LENGTH, macKeysOf } from '../../crypto/cookie.ts';
import { generateIdentity } from '../../crypto/identity.ts';
import { cryptoReady } from '../../crypto/ready.ts';
import { ReplayWindow } from '../../crypto/replay-window.ts';
import { type Datapath, type DataSession, NO_STATS } from '../../router/datapath/datapath.ts';
import { INITIATION_LENGTH, Initiation } from '../../router/handshake/handshake.ts';
import {
  decodeInitiationPayload,
  decodeResponsePayload,
  encodeInitiationPayload,
  encodeResponsePayload,
} from '../../router/handshake/handshake-payload.ts';
import { ControlLink } from '../../router/link/control-link.ts';
import {
  decodeControlMessage,
  encodeChannelMessage,
  encodeMtuAck,
  encodeMtuProbe,
  encodeTokenMessage,
} from '../../router/tunnel/control-message.ts';
import type { HandedSession, HandedTunnels } from '../../router/tunnel/handover/handed-tunnels.ts';
import { decodeHandover, encodeHandover } from '../../router/tunnel/handover/handover-format.ts';
import { TUNNEL_COUNTERS } from '../../router/tunnel/tunnel-counters.ts';
import { Tunnels } from '../../router/tunnel/tunnels.ts';
import { seededRandom } from '../seeded-random.ts';

/** Something that reads bytes of the network. `run` throws where a property of it is broken. */
interface FuzzTarget {
  readonly name: string;
  run(bytes: Uint8Array): void;
  readonly seeds?: readonly Uint8Array[];
}

await cryptoReady;

const random = seededRandom(30);
const us = generateIdentity(random);
const them = generateIdentity(random);
const clusterKeys = parseClusterSecret('6b1f0c2d9e8a7b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f998877665544332211');
const endpoint = parseEndpoint('192.0.2.1:6783')!;
const from = { kind: 'direct', endpoint } as const;
const token = random.bytes(8);
const initiationPayload = {
  epoch: 1,
  sequence: 1,
  peer: them.peer,
  suites: 1,
  takesMarks: true,
  mtu: 1364,
  token: new Uint8Array(16),
};

const handedSession: HandedSession = {
  ...{ peer: them.peer, localIndex: 7, remoteIndex: 9, suite: 'chacha20-poly1305', peerTakesMarks: true },
  ...{ sendKey: random.bytes(32), receiveKey: random.bytes(32), role: 'current', initiator: true },
  ...{ establishedAt: instant(0), peerEpoch: 3, peerMtu: 1364 },
  progress: { sent: 5, failedOpens: 0, confirmed: true, replayWindow: new ReplayWindow().save() },
};
const handed: HandedTunnels = {
  ...{ self: us.peer, since: 1, past: NO_STATS, counters: { 'datapath.inReplay': 1 } },
  tunnels: [
    {
      ...{ peer: them.peer, noiseKey: them.noise.publicKey, sessions: [handedSession], path: from },
      ...{ observed: [endpoint], provenMtu: 1364, rttMs: 1.5, traffic: NO_STATS },
    },
  ],
};

/** A datapath that keeps the last session and nothing else. */
let installed: DataSession | undefined;
let lastSent: Uint8Array | undefined;
const datapath: Datapath = {
  install: (session) => {
    installed = session;
  },
  use: () => undefined,
  remove: () => undefined,
  setPath: () => undefined,
  setMtu: () => undefined,
  setRoutes: () => undefined,
  setPorts: () => undefined,
  sendControl: () => true,
  sendForeign: (_path, _to, packet) => {
    lastSent = packet;
    return true;
  },
  stats: () => NO_STATS,
  totals: () => NO_STATS,
  progress: () => undefined,
  addTraffic: () => undefined,
};
const counters = new Counters(TUNNEL_COUNTERS);
const tunnels = new Tunnels({
  identity: us,
  clusterKeys,
  bootEpoch: 1,
  suites: ['chacha20-poly1305'],
  takesMarks: true,
  random,
  counters,
  datapath,
  config: { loadPerSecond: 1e9 },
});
let now = instant(0);
tunnels.setPeer(them.peer, { noiseKey: them.noise.publicKey, endpoints: [endpoint], epoch: 1 }, now);

/** An initiation of them to us, with right MACs, and our first answer to it. */
const initiation = (() => {
  const made = Initiation.create(
    { identity: them, clusterKeys, random },
    { peer: us.peer, noiseKey: us.noise.publicKey },
    0x01020304,
    initiationPayload,
  );
  assert.ok(made.ok);
  const packet = concat(made.value.body, new Uint8Array(MACS_LENGTH));
  new CookieJar(macKeysOf(clusterKeys.mac1Key, us.noise.publicKey)).stamp(packet, now);
  return packet;
})();
tunnels.foreign(initiation, from, now);
assert.ok(installed !== undefined && lastSent !== undefined, 'the example is a good one');
const response = lastSent;
tunnels.confirmed(installed.localIndex, from, now);
const session = installed.localIndex;

export const routerControlTargets: readonly FuzzTarget[] = [
  {
    name: 'router: control message',
    seeds: [
      encodeTokenMessage('challenge', token),
      encodeTokenMessage('pong', token),
      encodeMtuProbe(token, 100),
      encodeMtuAck(token, 1364),
      Uint8Array.of(1, 2, 3),
    ],
    run(bytes) {
      const decoded = decodeControlMessage(bytes);
      if (!decoded.ok || decoded.value.type !== 'channel') return;
      const again = encodeChannelMessage(decoded.value.channel, decoded.value.bytes);
      assert.ok(again.ok && equalBytes(again.value, bytes));
    },
  },
  {
    name: 'router: handshake payloads',
    seeds: [
      encodeInitiationPayload(initiationPayload),
      encodeResponsePayload({
        outcome: 'accepted',
        takesMarks: true,
        epoch: 1,
        mtu: 1364,
        suite: 'chacha20-poly1305',
        index: 5,
      }),
    ],
    run(bytes) {
      const first = decodeInitiationPayload(bytes);
      if (first !== undefined)
        assert.deepEqual(decodeInitiationPayload(encodeInitiationPayload(first)), first);
      const second = decodeResponsePayload(bytes);
      if (second !== undefined)
        assert.deepEqual(decodeResponsePayload(encodeResponsePayload(second)), second);
    },
  },
  {
    name: 'router: handshake packets to the tunnels',
    seeds: [initiation, response, new Uint8Array(64).fill(3, 0, 1)],
    run(bytes) {
      now = after(now, 0.01);
      tunnels.foreign(bytes, from, now);
      checkBounds();
    },
  },
  {
    name: 'router: initiations with a right mac1',
    seeds: [initiation],
    run(bytes) {
      // A member that is hostile: it knows the secret, and all else is noise.
      if (bytes.length !== INITIATION_LENGTH) return;
      new CookieJar(macKeysOf(clusterKeys.mac1Key, us.noise.publicKey)).stamp(bytes, now);
      now = after(now, 0.01);
      tunnels.foreign(bytes, from, now);
      checkBounds();
    },
  },
  {
    name: 'router: control messages to the tunnels',
    seeds: [encodeTokenMessage('answer', token), encodeMtuAck(token, 1364), encodeMtuProbe(token, 64)],
    run(bytes) {
      now = after(now, 0.01);
      tunnels.control(them.peer, bytes, session, from, now);
      for (let event = tunnels.poll(); event !== undefined; event = tunnels.poll());
      checkBounds();
    },
  },
  {
    name: 'router: tunnels that another weftd hands over',
    seeds: [encodeHandover(handed, now)],
    run(bytes) {
      const read = decodeHandover(bytes, now);
      if (!read.ok) return;
      const again = decodeHandover(encodeHandover(read.value, now), now);
      assert.deepEqual(again, read);
    },
  },
  {
    name: 'router: control link',
    run(bytes) {
      const identity = us;
      const link = new ControlLink({ initiator: false, identity, clusterKeys, bootEpoch: 1, random, now });
      const progress = link.receive(bytes, now);
      assert.ok(!progress.ok || (progress.value.send.length === 0 && progress.value.opened === undefined));
      link.close();
    },
  },
];

function checkBounds(): void {
  assert.ok(tunnels.indexCount <= 4, 'indices of one peer');
  assert.ok(Object.keys(counters.snapshot()).length < 60, 'a closed set of counters');
}
