import type { SeedStatus } from '../../control/peer-status.ts';
import { type SeedsContext, seedRows } from './seeds-view.ts';

/**
 * What this node waits for, or what is wrong with its part of the ring; empty when all is well.
 *
 * Where peers were given and none is reached, it waits for them. To start a ring instead, as a node without peers is
 * told, would make a second one.
 */
export function ringDetail(context: SeedsContext, seeds: readonly SeedStatus[] = seedRows(context)): string {
  const { state, detail } = context.node.ipam.status();
  const others = seeds.filter((seed) => seed.state !== 'self');
  const reached = others.some((seed) => seed.state === 'connected' || seed.state === 'no-udp');
  if (state !== 'waiting' || others.length === 0 || reached) return detail;
  return `waits for a ring of its peers, of which none is reached; see 'weft peers'`;
}
