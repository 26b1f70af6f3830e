import type { PeerId } from '../../base/peer-id.ts';
import type { FlowEnd, FlowRow } from '../../control/flow-request.ts';
import type { FlowCount, FlowRecord } from '../../flows/flow.ts';

/** What is known of addresses, to give rows their names. */
export interface KnownNames {
  /** The name of a node. */
  nodeName(peer: PeerId): string;
  /** Whether it is the address of a node itself. */
  isNodeAddress(address: string): boolean;
  /** `namespace/name` of the pod that has the address. */
  podName(address: string): string | undefined;
}

/** Addresses of the cluster's range in `records`: those that may belong to pods. */
export function addressesIn(records: readonly FlowRecord[]): Set<string> {
  const addresses = new Set<string>();
  for (const record of records) {
    if (record.kind === 'gap' || record.kind === 'repaired') continue;
    const { source, sourceOwner, target, targetOwner } = record.kind === 'drop' ? record : record.flow;
    if (sourceOwner !== undefined) addresses.add(source);
    if (targetOwner !== undefined) addresses.add(target);
  }
  return addresses;
}

/** A record as users read it. */
export function rowOf(record: FlowRecord, names: KnownNames): FlowRow {
  switch (record.kind) {
    case 'gap':
      return {
        kind: 'gap',
        at: record.atMs,
        from: record.fromMs,
        reason: record.reason,
        count: record.count ?? null,
      };
    case 'repaired':
      return { kind: 'repaired', at: record.atMs, found: record.found, gone: record.gone };
    case 'drop': {
      const { atMs, protocol, way, policies } = record;
      const source = endOf(record.source, record.sourcePort, record.sourceOwner, names);
      const target = endOf(record.target, record.targetPort, record.targetOwner, names);
      return { kind: 'drop', at: atMs, verdict: 'dropped', protocol, source, target, way, policies };
    }
    default: {
      const { kind, atMs, flow, isReplied, sent, received } = record;
      const isTranslated = flow.destination !== flow.target || flow.destinationPort !== flow.targetPort;
      return {
        kind,
        at: atMs,
        verdict: 'forwarded',
        protocol: protocolName(flow.protocol),
        source: endOf(flow.source, flow.sourcePort, flow.sourceOwner, names),
        target: endOf(flow.target, flow.targetPort, flow.targetOwner, names),
        service: isTranslated ? { address: flow.destination, port: portOf(flow.destinationPort) } : null,
        direction: flow.direction,
        replied: isReplied,
        startedAt: flow.startedAtMs ?? null,
        sent: countOf(sent),
        received: countOf(received),
      };
    }
  }
}

const NAME_BY_PROTOCOL: Readonly<Record<number, string>> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  58: 'ICMP',
  132: 'SCTP',
};

/** The name of an IP protocol; that of drops is their name already. */
export function protocolName(protocol: number | string): string {
  return typeof protocol === 'string' ? protocol : (NAME_BY_PROTOCOL[protocol] ?? `protocol ${protocol}`);
}

/** An end with its names. */
export function endOf(address: string, port: number, owner: PeerId | undefined, names: KnownNames): FlowEnd {
  const isNode = owner !== undefined && names.isNodeAddress(address);
  return {
    address,
    port: portOf(port),
    pod: owner === undefined || isNode ? null : (names.podName(address) ?? null),
    node: owner === undefined ? null : names.nodeName(owner),
    isNode,
  };
}

function portOf(port: number): number | null {
  return port < 0 ? null : port;
}

function countOf(count: FlowCount | undefined): { packets: number; bytes: number } | null {
  return count === undefined ? null : { packets: count.packets, bytes: count.bytes };
}
