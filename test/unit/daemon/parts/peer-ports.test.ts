import { deepEqual } from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { parseEndpoint } from '../../../../base/endpoint.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import type { NodeLoop } from '../../../../daemon/node-loop.io.ts';
import { PeerPorts } from '../../../../daemon/parts/peer-ports.io.ts';
import type { NodeOutput } from '../../../../node/node-types.ts';

const PEER = 'a'.repeat(64) as PeerId;
const [ENDPOINT] = [parseEndpoint('192.0.2.7:6783')!];
/** Changes are told together, after a second. */
const TOLD_MS = 1_200;

describe('where the tunnels of peers end', () => {
  let takers: Map<string, (out: NodeOutput) => void>;
  let told: string[][];
  let ports: PeerPorts;

  beforeEach(() => {
    takers = new Map();
    told = [];
    const loop = {
      on: (type: string, take: (out: never) => void) =>
        void takers.set(type, take as (out: NodeOutput) => void),
    } as Pick<NodeLoop, 'on'>;
    ports = new PeerPorts(loop, (endpoints) => told.push(endpoints.map(String)));
  });
  afterEach(() => ports.close());

  const member = (state: 'alive' | 'dead' | 'left'): void =>
    takers.get('member')!({ type: 'member', peer: PEER, name: 'n2', state });
  const established = (): void =>
    takers.get('tunnel')!({
      type: 'tunnel',
      peer: PEER,
      state: 'established',
      path: { kind: 'direct', endpoint: ENDPOINT },
    } as NodeOutput);

  it('is told once a tunnel stands, and no more once the peer has left', async () => {
    established();
    await delay(TOLD_MS);
    member('left');
    member('alive');
    await delay(TOLD_MS);
    deepEqual(told, [[String(ENDPOINT)], []]);
  });

  it('is told again of a peer that was only taken for dead, whose tunnel never went', async () => {
    established();
    member('dead');
    await delay(TOLD_MS);
    member('alive');
    await delay(TOLD_MS);
    deepEqual(told, [[], [String(ENDPOINT)]]);
  });
});
