import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Endpoint } from '../../../../base/endpoint.ts';
import { instant } from '../../../../base/instant.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { Links } from '../../../../gossip/overlay/links.ts';
import { peer } from '../fakes.ts';

const [low, high] = [peer(1), peer(2)].sort() as [PeerId, PeerId];
const endpoint = '192.0.2.1:6783' as Endpoint;
const now = instant(0);
const add = (links: Links, id: number, to: PeerId, initiatedByUs: boolean): number[] =>
  links.add({ id, peer: to, initiatedByUs, endpoint }, now).map((link) => link.id);

describe('links', () => {
  it('keep the one that the lower identity dialled; only who dialled the other closes it', () => {
    const atLow = new Links(low);
    assert.deepEqual(add(atLow, 1, high, true), []);
    assert.deepEqual(add(atLow, 2, high, false), []);
    const atHigh = new Links(high);
    assert.deepEqual(add(atHigh, 1, low, true), []);
    assert.deepEqual(add(atHigh, 2, low, false), [1]);
  });

  it('keep the newer where we dialled twice', () => {
    const links = new Links(low);
    add(links, 1, high, true);
    assert.deepEqual(add(links, 2, high, true), [1]);
  });

  it('bear an old accepted link beside its successor, but not three', () => {
    const links = new Links(low);
    assert.deepEqual(add(links, 1, high, false), []);
    assert.deepEqual(add(links, 2, high, false), []);
    assert.deepEqual(add(links, 3, high, false), [1]);
  });

  it('end with one link at both ends, in whatever order the two see the dials', () => {
    const dials = fc.array(fc.boolean(), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(dials, fc.infiniteStream(fc.boolean()), (byLow, coin) => {
        const ends = { low: new Links(low), high: new Links(high) };
        // What each end is still to learn, in order: a link that opened, or one the far end closed.
        const news: { low: (() => void)[]; high: (() => void)[] } = { low: [], high: [] };
        const open = (end: 'low' | 'high', id: number, mine: boolean): void => {
          for (const closing of add(ends[end], id, end === 'low' ? high : low, mine)) {
            ends[end].remove(closing);
            const far = end === 'low' ? 'high' : 'low';
            news[far].push(() => ends[far].remove(closing));
          }
        };
        for (const [id, mine] of byLow.entries()) {
          news.low.push(() => open('low', id, mine));
          news.high.push(() => open('high', id, !mine));
        }
        while (news.low.length + news.high.length > 0) {
          const end = news.high.length === 0 || (news.low.length > 0 && coin.next().value) ? 'low' : 'high';
          news[end].shift()!();
        }
        const ids = (links: Links): number[] => [...links.all()].map((link) => link.id);
        assert.deepEqual(ids(ends.low), ids(ends.high));
        assert.equal(ends.low.size, 1);
      }),
    );
  });

  it('count peers, not links', () => {
    const links = new Links(low);
    add(links, 1, high, false);
    add(links, 2, high, false);
    assert.equal(links.peerCount, 1);
    assert.equal(links.size, 2);
    links.remove(1);
    assert.equal(links.has(high), true);
    links.remove(2);
    links.remove(2);
    assert.equal(links.has(high), false);
    assert.equal(links.size, 0);
  });
});
