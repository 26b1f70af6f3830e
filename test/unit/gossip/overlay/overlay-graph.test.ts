import assert from 'node:assert/strict';
import type { PeerId } from '../../../../base/peer-id.ts';
import { OverlayGraph } from '../../../../gossip/overlay/overlay-graph.ts';
import { peer } from '../fakes.ts';

const [a, b, c, d, e, f] = [1, 2, 3, 4, 5, 6].map(peer) as [PeerId, PeerId, PeerId, PeerId, PeerId, PeerId];

/** Two-sided links between the pairs. */
function graphOf(own: PeerId[], pairs: [PeerId, PeerId][], absent = new Set<PeerId>()): OverlayGraph {
  const graph = new OverlayGraph((each) => !absent.has(each));
  const links = new Map<PeerId, PeerId[]>();
  for (const [x, y] of pairs) {
    links.set(x, [...(links.get(x) ?? []), y]);
    links.set(y, [...(links.get(y) ?? []), x]);
  }
  for (const [each, to] of links) graph.setClaims(each, to);
  graph.setOwn(own);
  return graph;
}

describe('overlay graph', () => {
  it('names all first hops of shortest ways, and none of longer ones', () => {
    //  self ─ a ─ d ─ f     self ─ b ─ d     self ─ c ─ e ─ f
    const graph = graphOf(
      [a, b, c],
      [
        [a, d],
        [b, d],
        [c, e],
        [d, f],
        [e, f],
      ],
    );
    assert.deepEqual(graph.nextHops(a), [a]);
    assert.deepEqual(new Set(graph.nextHops(d)), new Set([a, b]));
    assert.deepEqual(graph.nextHops(e), [c]);
    assert.deepEqual(new Set(graph.nextHops(f)), new Set([a, b, c]));
  });

  it('names for a neighbour those that have a link with it too, for its own link says nothing of UDP', () => {
    //  self ─ a ─ b ─ self     self ─ c     d ─ a
    const graph = graphOf(
      [a, b, c],
      [
        [a, b],
        [a, d],
      ],
    );
    assert.deepEqual(graph.relaysTo(a), [b]);
    assert.deepEqual(graph.relaysTo(b), [a]);
    assert.deepEqual(graph.relaysTo(c), []);
    assert.deepEqual(graph.relaysTo(d), [a]);
  });

  it('does not believe a link that only one end claims', () => {
    const graph = graphOf([a], []);
    graph.setClaims(a, [b]);
    assert.deepEqual(graph.nextHops(b), []);
    graph.setClaims(b, [a]);
    assert.deepEqual(graph.nextHops(b), [a]);
    assert.equal(graph.reaches(b), true);
    graph.setClaims(b, []);
    assert.equal(graph.reaches(b), false);
  });

  it('leads no way through absent members', () => {
    const pairs: [PeerId, PeerId][] = [
      [a, b],
      [b, c],
    ];
    assert.deepEqual(graphOf([a], pairs).nextHops(c), [a]);
    assert.deepEqual(graphOf([a], pairs, new Set([b])).nextHops(c), []);
  });

  it('forgets a peer that is removed', () => {
    const graph = graphOf([a], [[a, b]]);
    assert.equal(graph.reaches(b), true);
    graph.remove(b);
    assert.equal(graph.reaches(b), false);
  });
});
