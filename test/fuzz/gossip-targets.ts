import { equalBytes } from '../../base/bytes.ts';
import { Counters } from '../../base/counters.ts';
import { endpoint } from '../../base/endpoint.ts';
import { instant } from '../../base/instant.ts';
import { Gossip } from '../../gossip/gossip.ts';
import { GOSSIP_COUNTERS } from '../../gossip/model/gossip-counters.ts';
import { decodeNodeInfo, encodeNodeInfo } from '../../gossip/model/node-info.ts';
import { isWellFormedRecord } from '../../gossip/model/record.ts';
import { decodeForgets, encodeForgets } from '../../gossip/records/forgotten.ts';
import { decodeFrame, encodeFrame } from '../../gossip/records/frame.ts';
import { decodeSwimPacket, encodeSwimPacket } from '../../gossip/swim/swim-packet.ts';
import { seededRandom } from '../seeded-random.ts';
import { CLUSTER_ID, FakeCrypto, peer } from '../unit/gossip/fakes.ts';

/** What a fuzzer runs: `run` throws where the bytes broke something. */
export interface FuzzTarget {
  readonly name: string;
  run(bytes: Uint8Array): void;
  /** Valid inputs to start from. */
  readonly seeds: readonly Uint8Array[];
}

const info = encodeNodeInfo({
  name: 'fuzz',
  endpoints: [endpoint({ family: 4, value: 0xc0000201n }, 6783)],
  noiseKey: new Uint8Array(32),
  version: '1',
  links: [peer(1)],
  addresses: [{ family: 6, value: 1n }],
  suites: 1,
  mtu: 1500,
  free: { 4: 3 },
});
const record = {
  origin: peer(1),
  slot: 'node',
  epoch: 1,
  sequence: 1,
  payload: info,
  signature: new Uint8Array(64),
} as const;
const rumour = { subject: peer(1), state: 'suspect', accuser: '00'.repeat(8), version: record } as const;
const frames = [
  encodeFrame({ kind: 'records', records: [{ record, state: 'alive' }] }),
  encodeFrame({ kind: 'digest', root: new Uint8Array(8) }),
  encodeFrame({ kind: 'buckets', fingerprints: new Uint8Array(512) }),
  encodeFrame({
    kind: 'versions',
    buckets: [1, 2],
    entries: [{ ...record, fingerprint: new Uint8Array(8) }],
  }),
  encodeFrame({ kind: 'want', wanted: [record] }),
  encodeFrame({ kind: 'rumours', rumours: [rumour] }),
  encodeFrame({ kind: 'redirect', endpoints: [endpoint({ family: 4, value: 1n }, 1)] }),
  encodeFrame({ kind: 'keepalive' }),
  encodeFrame({ kind: 'message', bytes: Uint8Array.of(1, 2, 3) }),
];
const packets = [
  encodeSwimPacket({ kind: 'ping', number: 1, rumours: [rumour] }),
  encodeSwimPacket({ kind: 'ping-req', number: 1, target: peer(2), rumours: [] }),
  encodeSwimPacket({ kind: 'ack', number: 1, rumours: [] }),
];

const forgets = encodeForgets([{ subject: peer(1), version: { epoch: 1, sequence: 2 } }]);

export const gossipTargets: readonly FuzzTarget[] = [
  {
    name: 'forgotten peers',
    seeds: [forgets, new Uint8Array(0)],
    run(bytes) {
      const list = decodeForgets(bytes);
      if (list !== undefined) must(equalBytes(encodeForgets(list), bytes), 'a list encodes as it was');
    },
  },
  {
    name: 'gossip frame',
    seeds: frames,
    run(bytes) {
      const decoded = decodeFrame(bytes);
      // Whatever is accepted can be said again and means the same.
      if (decoded.ok) must(decodeFrame(encodeFrame(decoded.value)).ok, 'a decoded frame encodes again');
    },
  },
  {
    name: 'gossip record',
    seeds: frames.slice(0, 1),
    run(bytes) {
      const decoded = decodeFrame(Uint8Array.from([1, 1, ...bytes.subarray(2)]));
      if (!decoded.ok || decoded.value.kind !== 'records') return;
      for (const each of decoded.value.records)
        must(isWellFormedRecord(each.record), 'records are within bounds');
    },
  },
  {
    name: 'gossip node info',
    seeds: [info],
    run(bytes) {
      const decoded = decodeNodeInfo(bytes);
      if (decoded.ok) must(decodeNodeInfo(encodeNodeInfo(decoded.value)).ok, 'decoded info encodes again');
    },
  },
  {
    name: 'swim packet',
    seeds: packets,
    run(bytes) {
      const decoded = decodeSwimPacket(bytes);
      if (decoded.ok)
        must(decodeSwimPacket(encodeSwimPacket(decoded.value)).ok, 'a decoded packet encodes again');
    },
  },
  coreTarget(),
];

/** A whole core that gets the bytes as a frame and as a datagram; its queues must stay small. */
function coreTarget(): FuzzTarget {
  const fresh = (): Gossip =>
    new Gossip({
      self: peer(0),
      clusterId: CLUSTER_ID,
      epoch: 1,
      crypto: new FakeCrypto(peer(0)),
      random: seededRandom(1),
      counters: new Counters(GOSSIP_COUNTERS),
    });
  let gossip = fresh();
  let time = 0;
  let link = 0;
  return {
    name: 'gossip core',
    seeds: [...frames, ...packets],
    run(bytes) {
      if (++link % 10_000 === 0) gossip = fresh();
      time += 7;
      const now = instant(time);
      if (gossip.links().length === 0) {
        gossip.linkOpened(link, peer(1 + (link % 500)), false, endpoint({ family: 4, value: 9n }, 9), now);
      }
      for (const open of gossip.links()) gossip.handleFrame(open.link, bytes, now);
      gossip.handlePacket(peer(3), bytes, now);
      gossip.tick(now);
      let outputs = 0;
      while (gossip.poll()) outputs++;
      must(outputs < 100, 'one input has few consequences');
      const next = gossip.nextTimeout();
      must(next !== undefined && next > now, 'nothing stays due after a tick');
    },
  };
}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(`broken: ${what}`);
}
