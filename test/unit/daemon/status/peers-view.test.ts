import { deepEqual } from 'node:assert/strict';
import { instant } from '../../../../base/instant.ts';
import { type PeerId, peerIdFromBytes } from '../../../../base/peer-id.ts';
import { LEFT_SHOWN_MS, peerRows } from '../../../../daemon/status/peers-view.ts';
import type { StatusContext } from '../../../../daemon/status/status-context.ts';

const PEERS = 2_000;

/** Number `n` as a peer id. */
function peerOf(n: number): PeerId {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(0, n);
  return peerIdFromBytes(bytes);
}

describe('peerRows', () => {
  it('looks at each of many peers a few times, not once for each other peer', () => {
    const calls = { members: 0, infoOf: 0, tunnel: 0 };
    const known = Array.from({ length: PEERS }, (_, n) => ({ peer: peerOf(n), state: 'alive' }));
    // Names in the opposite order of ids, so that the rows have to be sorted.
    const infoByPeer = new Map(
      known.map(({ peer }, n) => [peer, { name: `n${String(PEERS - n).padStart(5, '0')}` }]),
    );
    const node = {
      peer: peerOf(0),
      gossip: {
        members: () => {
          calls.members++;
          return known;
        },
      },
      tunnels: {
        status: () => {
          calls.tunnel++;
          return undefined;
        },
      },
      infoOf: (peer: PeerId) => {
        calls.infoOf++;
        return infoByPeer.get(peer);
      },
    };
    const world = { node, name: 'self', datapath: { name: 'sleeve' }, now: () => instant(0) };
    const context = world as unknown as StatusContext;
    const { rows } = peerRows(context, { all: false });
    deepEqual(
      rows.map(({ peerId }) => peerId),
      known
        .slice(1)
        .map(({ peer }) => peer)
        .reverse(),
    );
    deepEqual(rows[0], {
      name: 'n00001',
      peerId: peerOf(PEERS - 1),
      state: 'idle',
      endpoint: null,
      via: null,
      datapath: null,
      suite: null,
      rttMs: null,
    });
    deepEqual(calls, { members: 1, infoOf: PEERS - 1, tunnel: PEERS - 1 });
  });

  it('shows who left for ten minutes, and then only where all are asked for', () => {
    const since = instant(1_000);
    const members = [
      { peer: peerOf(1), state: 'left', since },
      { peer: peerOf(2), state: 'dead', since },
    ];
    const node = {
      peer: peerOf(0),
      gossip: { members: () => members },
      tunnels: { status: () => undefined },
      infoOf: () => undefined,
    };
    const shownAt = (ms: number, all: boolean) => {
      const world = { node, name: 'self', datapath: { name: 'sleeve' }, now: () => instant(ms) };
      const { rows, hidden } = peerRows(world as unknown as StatusContext, { all });
      return [...rows.map(({ state }) => state), hidden];
    };
    deepEqual(shownAt(1_000 + LEFT_SHOWN_MS - 1, false), ['left', 'dead', 0]);
    deepEqual(shownAt(1_000 + LEFT_SHOWN_MS, false), ['dead', 1]);
    deepEqual(shownAt(1_000 + LEFT_SHOWN_MS, true), ['left', 'dead', 0]);
  });
});
