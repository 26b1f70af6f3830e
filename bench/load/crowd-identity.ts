import { parseEndpoint } from '../../base/endpoint.ts';
import { generateIdentity, type Identity, sign } from '../../crypto/identity.ts';
import { PORTABLE_SUITES, suiteBitmap } from '../../crypto/suite.ts';
import { encodeNodeInfo } from '../../gossip/model/node-info.ts';
import { type SignedRecord, signedBytes } from '../../gossip/model/record.ts';
import { seededRandom } from '../../test/seeded-random.ts';

const FIRST_PORT = 20_000;

/** Who number `i` of a crowd is, the same in every process. */
export function crowdIdentity(i: number): Identity {
  return generateIdentity(seededRandom(800_000 + i));
}

/** Where it listens on the host of the crowd. */
export function crowdPort(i: number): number {
  return FIRST_PORT + i;
}

/** What it says of itself, signed. */
export function crowdRecord(i: number, clusterId: Uint8Array, host: string): SignedRecord {
  const identity = crowdIdentity(i);
  const payload = encodeNodeInfo({
    name: `crowd-${i}`,
    endpoints: [parseEndpoint(`${host}:${crowdPort(i)}`)!],
    noiseKey: identity.noise.publicKey,
    version: '0',
    links: [],
    addresses: [],
    suites: suiteBitmap(PORTABLE_SUITES),
    mtu: 1500,
    free: {},
  });
  const record = { origin: identity.peer, slot: 'node', epoch: 1, sequence: 1, payload } as const;
  return { ...record, signature: sign(identity, signedBytes(clusterId, record)) };
}
