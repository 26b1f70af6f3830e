import { deepEqual, equal } from 'node:assert/strict';
import { parseEndpoint } from '../../../base/endpoint.ts';
import { instant } from '../../../base/instant.ts';
import { peerIdFromBytes } from '../../../base/peer-id.ts';
import { SeedReach } from '../../../node/seed-reach.ts';

const SEED = parseEndpoint('192.0.2.1:6783')!;
const OTHER = parseEndpoint('192.0.2.2:6783')!;
const PEER = peerIdFromBytes(new Uint8Array(32).fill(7));

describe('SeedReach', () => {
  it('says what came of the last dial, and since when each failed for that reason', () => {
    const reach = new SeedReach();
    reach.setSeeds([SEED]);
    equal(reach.of(SEED), undefined);
    reach.failed(SEED, 'refused', instant(1));
    reach.failed(SEED, 'refused', instant(2));
    deepEqual(reach.of(SEED), { kind: 'failed', failure: 'refused', since: 1 });
    reach.failed(SEED, 'hung-up', instant(3));
    deepEqual(reach.of(SEED), { kind: 'failed', failure: 'hung-up', since: 3 });
    reach.met(SEED, PEER, instant(4));
    deepEqual(reach.of(SEED), { kind: 'met', peer: PEER, since: 4 });
  });

  it('remembers seeds alone, and those for as long as they are some', () => {
    const reach = new SeedReach();
    reach.setSeeds([SEED, OTHER]);
    reach.failed(SEED, 'refused', instant(1));
    reach.failed(OTHER, 'refused', instant(1));
    reach.setSeeds([SEED]);
    reach.failed(OTHER, 'refused', instant(2));
    deepEqual([reach.of(SEED)?.kind, reach.of(OTHER)], ['failed', undefined]);
  });
});
