import { deepEqual, equal } from 'node:assert/strict';
import type { ClusterTunnelsResult } from '../../../control/tunnels-request.ts';
import { TunnelBook } from '../../../ui/picture/tunnel-book.ts';
import { OTHER_NODE, peersOf, SELF } from './ui-fixtures.ts';

const THIRD = 'c'.repeat(64);

function told(sentBytes: number, more = 0): ClusterTunnelsResult {
  const [{ name, version, endpoints, addresses, ...peer }] = peersOf().peers as [
    ReturnType<typeof peersOf>['peers'][number],
  ];
  const to = (peerId: string, via: string | null) => ({
    ...{ ...peer, peerId, from: OTHER_NODE, via, sentBytes },
    endpoint: via === null ? peer.endpoint : null,
  });
  return { tunnels: [to(THIRD, 'n1\u001b[2J'), to(SELF, null)], more, nodes: 1, silent: [] };
}

describe('tunnels on the page', () => {
  it('are also those of other nodes, with what they move, as the node tells that has them', () => {
    const book = new TunnelBook();
    book.take(peersOf(), SELF, 0);
    book.takeOthers(told(1_000), SELF, 0);
    book.takeOthers(told(21_000, 7), SELF, 10_000);
    deepEqual(
      book.tunnels().map(({ id, path, via, sentBytesPerS }) => [id, path, via, sentBytesPerS]),
      [
        [`${SELF}>${OTHER_NODE}`, 'direct', null, null],
        [`${OTHER_NODE}>${THIRD}`, 'relayed', 'n1?[2J', 2_000],
        [`${OTHER_NODE}>${SELF}`, 'direct', null, 2_000],
      ],
    );
    deepEqual(
      book.own().map(({ to }) => to),
      [OTHER_NODE],
    );
    equal(book.moreOfOthers, 7);
  });

  it('go when the node that has them tells of them no more, and nobody speaks for the node that was asked', () => {
    const book = new TunnelBook();
    book.take(peersOf(), SELF, 0);
    book.takeOthers(told(0), SELF, 0);
    const forged = told(0).tunnels.map((tunnel) => ({ ...tunnel, from: SELF }));
    book.takeOthers({ tunnels: forged, more: 0, nodes: 1, silent: [] }, SELF, 10_000);
    equal(book.tunnels().length, 1);
  });
});
