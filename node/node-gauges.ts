import { type GaugeTable, gauge, gaugeBy } from '../base/gauges.ts';
import type { PeerId } from '../base/peer-id.ts';
import { type Range, rangeSize } from '../base/range.ts';
import type { MemberState } from '../gossip/model/gossip-output.ts';

/** What of a node these are read from. */
interface OwnersView {
  readonly ipam: { owners(): readonly { readonly range: Range; readonly owner: PeerId }[] };
  readonly gossip: { members(): readonly { readonly peer: PeerId; readonly state: MemberState }[] };
  readonly peer: PeerId;
}

/** What can be asked at any time of the nodes that own addresses. */
export const NODE_GAUGES = {
  'ring.owners': gauge(
    'count',
    'Nodes that own addresses, this one included.',
    (node) => new Set(node.ipam.owners().map(({ owner }) => owner)).size,
  ),
  'ring.ownersUnreachable': gauge(
    'count',
    'Nodes that own addresses and are dead, have left, or were not heard of since this node started.',
    (node) => new Set(unreachable(node).map(({ owner }) => owner)).size,
  ),
  'ring.unreachable': gaugeBy(
    { name: 'family', values: ['4', '6'] },
    'percent',
    'Part of all addresses, by IP family, that such nodes own.',
    (node) => {
      const lost = unreachable(node);
      return { 4: percentOf(lost, node.ipam.owners(), 4), 6: percentOf(lost, node.ipam.owners(), 6) };
    },
  ),
} as const satisfies GaugeTable<OwnersView>;

type Owned = ReturnType<OwnersView['ipam']['owners']>;

function unreachable({ ipam, gossip, peer }: OwnersView): Owned {
  const here = new Set([
    peer,
    ...gossip.members().flatMap((it) => (it.state === 'alive' || it.state === 'suspect' ? it.peer : [])),
  ]);
  return ipam.owners().filter(({ owner }) => !here.has(owner));
}

function percentOf(part: Owned, all: Owned, family: 4 | 6): number {
  const size = (ranges: Owned): number =>
    Number(ranges.reduce((sum, { range }) => (range.family === family ? sum + rangeSize(range) : sum), 0n));
  return size(all) === 0 ? 0 : (100 * size(part)) / size(all);
}
