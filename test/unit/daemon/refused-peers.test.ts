import { deepEqual, equal } from 'node:assert/strict';
import { parseEndpoint } from '../../../base/endpoint.ts';
import { type Instant, instant } from '../../../base/instant.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import { warningLine } from '../../../base/warning.ts';
import type { NodeLoop } from '../../../daemon/node-loop.io.ts';
import { MAX_REFUSALS, REFUSAL_TOLD_MS, RefusedPeers } from '../../../daemon/refused-peers.ts';

/** Refused peers of a node that says what the test tells it to. */
function world() {
  const takers = new Map<string, (out: unknown) => void>();
  let now: Instant = instant(0);
  const loop = { on: (type: string, take: (out: unknown) => void) => void takers.set(type, take) };
  const refused = new RefusedPeers(
    loop as unknown as NodeLoop,
    (peer) => `name of ${peer}`,
    () => now,
  );
  return {
    refused,
    at: (ms: number) => {
      now = instant(ms);
    },
    record: (peer: string) => takers.get('recordRefused')!({ peer: peer as PeerId }),
    stranger: (remote: string) => takers.get('strangerRefused')!({ remote: parseEndpoint(remote)! }),
  };
}

describe('RefusedPeers', () => {
  it('names the peer, and the host without the port from which it came, for ten minutes', () => {
    const { refused, at, record, stranger } = world();
    record('p');
    stranger('192.0.2.7:40000');
    at(5_000);
    stranger('192.0.2.7:40001');
    deepEqual(refused.warnings(instant(8_000)).map(warningLine), [
      'what the peer name of p says of itself is refused, since a field is out of bounds; ' +
        'run the same version on both nodes; weft report there says what it tells',
      '192.0.2.7 connected 3 s ago and does not hold the secret of this cluster; ' +
        'if that is a host of yours, give it the secret file of this one',
    ]);
    equal(refused.warnings(instant(REFUSAL_TOLD_MS)).length, 1);
    deepEqual(refused.warnings(instant(REFUSAL_TOLD_MS + 5_000)), []);
  });

  it('remembers a bounded number of hosts, the latest', () => {
    const { refused, stranger } = world();
    for (let i = 1; i <= MAX_REFUSALS + 3; i++) stranger(`192.0.2.${i}:1`);
    const warnings = refused.warnings(instant(0));
    equal(warnings.length, MAX_REFUSALS);
    equal(warnings[0]!.message.startsWith('192.0.2.4 '), true);
  });
});
