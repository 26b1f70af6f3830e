import { readU32BE } from '../base/bytes.ts';
import { attributeText, parseAttributes, parseMessages } from './netlink-message.ts';

/** The multicast group of NETLINK_NETFILTER that tells of packets with `nftrace` set (NFNLGRP_NFTRACE). */
export const NFNLGRP_NFTRACE = 9;

const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_TRACE = 17;
const HEADER_LENGTH = 4;
const NFTA_TRACE_TABLE = 1;
const NFTA_TRACE_CHAIN = 2;
const NFTA_TRACE_RULE_HANDLE = 3;
const NFTA_TRACE_TYPE = 4;
const NFTA_TRACE_VERDICT = 5;
const NFTA_TRACE_ID = 6;
const NFTA_TRACE_NETWORK_HEADER = 8;
const NFTA_TRACE_TRANSPORT_HEADER = 9;
const NFTA_TRACE_IIF = 10;
const NFTA_TRACE_OIF = 12;
const NFTA_TRACE_POLICY = 16;
const NFTA_VERDICT_CODE = 1;
const NFT_TRACETYPE_POLICY = 1;
const NF_DROP = 0;
const FAMILY_NAME: Readonly<Record<number, string>> = {
  1: 'inet',
  2: 'ip',
  5: 'netdev',
  7: 'bridge',
  10: 'ip6',
};

/** What one chain said of one traced packet. */
export interface TraceEvent {
  /** The same for all that is told of one packet. */
  readonly id: number;
  /** `inet`, `ip`, … */
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** Of the rule that spoke; undefined where it was the chain's policy. */
  readonly rule: number | undefined;
  readonly isDrop: boolean;
  /** Indexes of interfaces, where the packet has them at that hook. */
  readonly inIndex: number | undefined;
  readonly outIndex: number | undefined;
  /**
   * The start of the IP header and of the transport header (20 bytes at most), copied; only with the first event of a
   * packet in each base chain.
   */
  readonly headers: { readonly network: Uint8Array; readonly transport: Uint8Array } | undefined;
}

/** What a datagram of the group says, in the order of the kernel. What is malformed is left out. */
export function parseTrace(datagram: Uint8Array): TraceEvent[] {
  const messages = parseMessages(datagram);
  if (!messages.ok) return [];
  return messages.value.flatMap(({ type, payload }) => {
    if (type !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_TRACE) || payload.length < HEADER_LENGTH) return [];
    const parsed = parseAttributes(payload.subarray(HEADER_LENGTH));
    if (!parsed.ok) return [];
    const attributes = parsed.value;
    const number = (name: number): number | undefined => {
      const value = attributes.get(name);
      return value?.length === 4 ? readU32BE(value, 0) : undefined;
    };
    const [table, chain] = [NFTA_TRACE_TABLE, NFTA_TRACE_CHAIN].map((name) =>
      attributeText(attributes, name),
    );
    const [id, kind] = [number(NFTA_TRACE_ID), number(NFTA_TRACE_TYPE)];
    if (table === undefined || chain === undefined || id === undefined || kind === undefined) return [];
    const isPolicy = kind === NFT_TRACETYPE_POLICY;
    const handle = attributes.get(NFTA_TRACE_RULE_HANDLE);
    const network = attributes.get(NFTA_TRACE_NETWORK_HEADER)?.slice();
    const transport = attributes.get(NFTA_TRACE_TRANSPORT_HEADER)?.slice() ?? new Uint8Array();
    return [
      {
        id,
        family: FAMILY_NAME[payload[0]!] ?? String(payload[0]),
        table,
        chain,
        rule: isPolicy || handle?.length !== 8 ? undefined : readU32BE(handle, 4),
        isDrop:
          (isPolicy ? number(NFTA_TRACE_POLICY) : verdictOf(attributes.get(NFTA_TRACE_VERDICT))) === NF_DROP,
        inIndex: number(NFTA_TRACE_IIF),
        outIndex: number(NFTA_TRACE_OIF),
        headers: network === undefined ? undefined : { network, transport },
      },
    ];
  });
}

function verdictOf(nested: Uint8Array | undefined): number | undefined {
  const attributes = nested && parseAttributes(nested);
  const code = attributes?.ok ? attributes.value.get(NFTA_VERDICT_CODE) : undefined;
  return code?.length === 4 ? readU32BE(code, 0) : undefined;
}
