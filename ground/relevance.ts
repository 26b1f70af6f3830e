import { intersectRanges, rangeSize } from '../base/range.ts';
import { isPodEnd } from '../linux/host-survey.ts';
import type { TouchedTable } from '../linux/nftables-event.ts';
import { ROUTE_PROTOCOL_WEFT } from '../linux/rtnetlink/route.ts';
import type { RouteEvent } from '../linux/rtnetlink/route-event.ts';
import type { HostGround } from './host-ground.ts';
import type { PodEndShapes } from './pod-end-shapes.ts';

/** Which part of the ground an event may concern. */
type Concern = 'host' | 'pods' | 'underlay';

/** What is known of the links before an event. */
interface KnownLinks {
  /** Of the TUN interface. */
  readonly tunIndex: number | undefined;
  /** Learns from each event. */
  readonly podEnds: PodEndShapes;
}

/**
 * What an event of the kernel may concern; undefined for the many that are about others. A pod that comes up concerns
 * nothing: only what takes something away from it does.
 */
export function concernOf(
  event: RouteEvent,
  ground: HostGround,
  { tunIndex, podEnds }: KnownLinks,
): Concern | undefined {
  switch (event.object) {
    case 'link': {
      const { link } = event;
      if (link.index === tunIndex || link.name === ground.tun) return 'host';
      if (event.change === 'deleted') podEnds.gone(link.index);
      else if (podEnds.seen(link)) return 'pods';
      if (!isPodEnd(link, ground)) {
        // Ends of other engines' containers are ports of bridges; one that is not may be this host's own card.
        return link.kind === 'veth' && link.masterIndex !== undefined ? undefined : 'underlay';
      }
      const harmed = !link.up || link.arp || link.masterIndex !== undefined;
      return event.change === 'set' && harmed ? 'pods' : undefined;
    }
    case 'address':
      return event.address.link === tunIndex ? 'host' : 'underlay';
    case 'route': {
      const { route, change } = event;
      const own = route.protocol === ROUTE_PROTOCOL_WEFT;
      const isDefault = route.destination.start === 0n && rangeSize(route.destination) > 2n ** 31n;
      if (isDefault) return 'underlay';
      if (!ground.ranges.some((range) => intersectRanges(range, route.destination))) return undefined;
      // What Weft itself sets for pods is as it should be.
      if (own && change === 'set') return undefined;
      return own && rangeSize(route.destination) === 1n ? 'pods' : 'host';
    }
    case 'netconf': {
      const { netconf } = event;
      if (netconf.forwarding !== 0) return undefined;
      if (netconf.link === 'all' || netconf.link === tunIndex) return 'host';
      if (typeof netconf.link !== 'number') return undefined;
      if (podEnds.has(netconf.link)) return 'pods';
      // Of IPv6 the host forwards as a whole.
      return netconf.family === 4 ? 'host' : undefined;
    }
    case 'rule':
      return 'host';
    case 'neighbour':
      return undefined;
    case 'other':
      // A malformed datagram: nobody knows what it said.
      return event.type === 0 ? 'host' : undefined;
  }
}

/** Whether a change of nftables touched the table `inet weft`, or may have. */
export function concernsRules(change: {
  readonly tables: readonly TouchedTable[];
  readonly whole: boolean;
}): boolean {
  return !change.whole || change.tables.some(({ family, name }) => family === 'inet' && name === 'weft');
}
