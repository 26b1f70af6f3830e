import type { Sightings } from '../../control/probe-request.ts';
import { nft } from '../../linux/nft.io.ts';
import { NFNLGRP_NFTRACE, parseTrace, type TraceEvent } from '../../linux/parse-trace.ts';
import type { Link } from '../../linux/rtnetlink/link.ts';
import { RouteClient } from '../../linux/rtnetlink/route-client.io.ts';
import { NETLINK_NETFILTER, NetlinkEvents } from '../../native/netlink-events.ts';
import type { ProbeFlow } from './probe-flow.ts';
import { renderProbeRemoval, renderProbeTable } from './probe-table.ts';
import { sightingsOf } from './sightings-of.ts';

/** Of one probe; more can only be of others. */
const MAX_EVENTS = 4096;

/** Watches a probe pass this host, by a table of nftables that is there for as long as this is open. Needs CAP_NET_ADMIN. */
export class ProbeWatch {
  readonly #id: string;
  readonly #flow: ProbeFlow;
  readonly #events: TraceEvent[] = [];
  readonly #socket: NetlinkEvents;

  private constructor(id: string, flow: ProbeFlow, onEvents: () => void) {
    this.#id = id;
    this.#flow = flow;
    this.#socket = NetlinkEvents.open(NETLINK_NETFILTER, [NFNLGRP_NFTRACE], {
      onDatagrams: (datagrams) => {
        for (const datagram of datagrams)
          if (this.#events.length < MAX_EVENTS) this.#events.push(...parseTrace(datagram));
        onEvents();
      },
      onLost: () => undefined, // A station that is missing is told as not seen.
      onError: () => undefined,
    });
  }

  /**
   * Rejects with E_NO_NFT, E_NOT_ROOT, E_NFT, and a SystemError where the kernel traces nothing.
   *
   * @param id hex digits that no other probe has.
   * @param onEvents something was seen.
   */
  static async open(
    id: string,
    flow: ProbeFlow,
    onEvents: () => void = () => undefined,
  ): Promise<ProbeWatch> {
    const watch = new ProbeWatch(id, flow, onEvents);
    try {
      await nft(['--file', '-'], renderProbeTable(id, flow));
      return watch;
    } catch (error) {
      watch.#socket.close();
      throw error;
    }
  }

  /** What has been seen so far; interfaces by `links`. */
  sightings(links: readonly Link[]): Sightings {
    const nameByIndex = new Map(links.map(({ index, name }) => [index, name]));
    return sightingsOf(
      this.#id,
      this.#flow,
      this.#events,
      (index) => nameByIndex.get(index) ?? String(index),
    );
  }

  /** Removes the table. Harmless when repeated. */
  async close(): Promise<void> {
    this.#socket.close();
    await nft(['--file', '-'], renderProbeRemoval(this.#id));
  }
}

/** The interfaces of this host. */
export async function readLinks(): Promise<Link[]> {
  const client = RouteClient.open();
  return client.links().finally(() => client.close());
}
