import { type Address, formatAddress } from '../base/address.ts';
import type { Log } from '../host/log.ts';
import { bindNflog, parseNflog } from '../linux/nflog.ts';
import { nft } from '../linux/nft.io.ts';
import { dropPrefix, parseDropPrefix } from '../linux/policy-rules.ts';
import { NETLINK_NETFILTER, NetlinkEvents } from '../native/netlink-events.ts';
import { podKey } from './compiler/cluster-index.ts';
import type { PolicyCompiler } from './compiler/policy-compiler.ts';
import { readDeniedPacket } from './denied-packet.ts';
import type { DeniedPolls } from './denied-polls.io.ts';
import type { BlockedConnections } from './metrics/blocked-connections.ts';

/** The group of nflog that denied packets go to. */
const GROUP = 6783;
/** So many denied packets a second are logged on a node; the kernel passes over the others. */
const PACKETS_PER_SECOND = 20;
/** Bytes of each: enough for an IPv6 header and ports. */
const PACKET_BYTES = 128;

/** What the rules need to be told, for a {@link DropLog} to hear of what they drop. */
export const DROP_LOG = { group: GROUP, packetsPerSecond: PACKETS_PER_SECOND } as const;

/** Whether this kernel can send denied packets to a group of nflog. */
export async function canLogDrops(): Promise<boolean> {
  const rule = `log prefix "${dropPrefix('ingress', 'probe')}" group ${GROUP} snaplen ${PACKET_BYTES}`;
  const table = `table inet weft-npc-probe {\n  chain probe {\n    ${rule}\n  }\n}\n`;
  return nft(['--check', '--file', '-'], table).then(
    () => true,
    () => false,
  );
}

/**
 * Logs packets that policies deny, and tells those who watch flows: whose they were when they came, in which direction, to
 * which port, and which policies denied them. Counts them by port. The rate is bounded by the kernel, and each kind of line
 * by the log.
 */
export class DropLog {
  readonly #compiler: PolicyCompiler;
  readonly #log: Log;
  readonly #polls: DeniedPolls;
  readonly #blocked: BlockedConnections;
  readonly #events: NetlinkEvents;

  /** Throws as {@link NetlinkEvents.open} does. That another program has the group is logged. */
  constructor(
    compiler: PolicyCompiler,
    log: Log,
    { polls, blocked }: { readonly polls: DeniedPolls; readonly blocked: BlockedConnections },
  ) {
    this.#blocked = blocked;
    this.#compiler = compiler;
    this.#log = log;
    this.#polls = polls;
    this.#events = NetlinkEvents.open(NETLINK_NETFILTER, [], {
      onDatagrams: (datagrams) => {
        for (const datagram of datagrams) this.#take(datagram);
      },
      onLost: () => log.debug('denied packets were left out of the log'),
      onError: (error) => log.warn('denied packets are not logged any more', { fault: String(error) }),
    });
    for (const request of bindNflog(GROUP, PACKET_BYTES)) this.#events.send(request);
  }

  close(): void {
    this.#events.close();
  }

  #take(datagram: Uint8Array): void {
    const { packets, answers } = parseNflog(datagram);
    for (const errno of answers)
      if (errno !== 0) this.#log.warn('denied packets are not logged', { group: GROUP, errno });
    for (const { prefix, payload } of packets) {
      const drop = parseDropPrefix(prefix);
      const packet = readDeniedPacket(payload);
      if (drop === undefined || packet === undefined) continue;
      const { source, destination, protocol, sourcePort, destinationPort } = packet;
      this.#blocked.add(protocol, destinationPort);
      const [from, to] = [this.#nameOf(source), this.#nameOf(destination)];
      const policies = this.#compiler.dropTag(drop.tag)?.policies ?? [];
      this.#polls.add({
        at: Date.now(),
        source: formatAddress(source),
        sourcePort: sourcePort ?? null,
        destination: formatAddress(destination),
        destinationPort: destinationPort ?? null,
        protocol,
        way: drop.way,
        policies,
      });
      const fields = {
        from,
        to,
        protocol,
        port: destinationPort,
        direction: drop.way,
        source: formatAddress(source),
        destination: formatAddress(destination),
        policies: policies.join(', '),
      };
      this.#log.info('denied', fields, `denied ${from} ${to} ${protocol} ${destinationPort} ${drop.way}`);
    }
  }

  /** Who has an address now: the packet came a moment ago. */
  #nameOf(address: Address): string {
    const text = formatAddress(address);
    const { cluster } = this.#compiler.judged;
    const [pod] = cluster.podsAt(text);
    if (pod !== undefined) return podKey(pod);
    const [node] = cluster.nodesAt(text);
    return node === undefined ? text : `node ${node.name}`;
  }
}
