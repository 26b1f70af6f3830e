import { readU32BE } from '../base/bytes.ts';
import {
  type Attributes,
  attributeText,
  type NetlinkMessage,
  parseAttributes,
  parseMessages,
} from './netlink-message.ts';

/** The multicast group of NETLINK_NETFILTER that tells of every change of nftables (NFNLGRP_NFTABLES). */
export const NFNLGRP_NFTABLES = 7;

/** Tables that one change may touch; of a change that touches more the rest is left out, and it is not `whole`. */
const MAX_TABLES = 256;

/**
 * One change of nftables in this network namespace, by anybody: a transaction that was carried out as a whole. Rules
 * that `iptables-nft` makes are among them, those of `iptables-legacy` are not.
 */
export interface RulesetChange {
  /** The kernel counts changes: the ruleset's generation after this one (`nft monitor` shows it). Wraps at 2^32. */
  readonly generation: number;
  /** The name of the program that made it, at most 15 bytes: `nft`, `firewalld`. Undefined where not told. */
  readonly program: string | undefined;
  /** That program's process id, as the first PID namespace of the machine counts: a container sees another number. */
  readonly pid: number | undefined;
  /** The port of the netlink socket by which it was made. While that is open, no other socket has it. */
  readonly port: number;
  readonly tables: readonly TouchedTable[];
  /** False where part of the change is not known, because events were lost: then any table may have been touched. */
  readonly whole: boolean;
}

/** What a change did in one table. */
export interface TouchedTable {
  readonly family: TableFamily;
  readonly name: string;
  /** The table itself is gone. It may be there again by the end of the change: `nft -f` often replaces a table so. */
  readonly deleted: boolean;
  /** The table itself was made, or its flags changed. */
  readonly set: boolean;
  /** What in it was made, changed or removed. Elements that packets add to a set and timeouts do not count. */
  readonly objects: ReadonlySet<TableObject>;
  /** Chains (also for their rules), sets (also for their elements) and objects that were touched, of the names watched for. */
  readonly names: ReadonlySet<string>;
}

export type TableFamily = 'inet' | 'ip' | 'arp' | 'netdev' | 'bridge' | 'ip6' | 'other';
type TableObject = 'chain' | 'rule' | 'set' | 'element' | 'object' | 'flowtable';

const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWGEN = 15;
/** nfgenmsg: family, version, resource id. */
const HEADER_LENGTH = 4;
/** The table's name: the same number in all messages but those about generations. */
const NFTA_TABLE = 1;
/** The name of the chain, set or object that a message is about. */
const NFTA_NAME: Readonly<Record<TableObject, number>> = {
  chain: 3,
  rule: 2,
  set: 2,
  element: 2,
  object: 2,
  flowtable: 2,
};
const NFTA_GEN_ID = 1;
const NFTA_GEN_PROC_PID = 2;
const NFTA_GEN_PROC_NAME = 3;

const FAMILY_BY_NUMBER: Readonly<Record<number, TableFamily>> = {
  1: 'inet',
  2: 'ip',
  3: 'arp',
  5: 'netdev',
  7: 'bridge',
  10: 'ip6',
};

/** What each message (NFT_MSG_*) is about. Objects are made, deleted, or "destroyed": deleted if they are there. */
const OBJECT_BY_TYPE: Readonly<Record<number, 'table' | TableObject>> = {
  0: 'table',
  2: 'table',
  26: 'table',
  3: 'chain',
  5: 'chain',
  27: 'chain',
  6: 'rule',
  8: 'rule',
  28: 'rule',
  9: 'set',
  11: 'set',
  29: 'set',
  12: 'element',
  14: 'element',
  30: 'element',
  18: 'object',
  20: 'object',
  31: 'object',
  22: 'flowtable',
  24: 'flowtable',
  32: 'flowtable',
};
const NFT_MSG_NEWTABLE = 0;

interface OpenTable {
  family: TableFamily;
  name: string;
  deleted: boolean;
  set: boolean;
  objects: Set<TableObject>;
  names: Set<string>;
}

/**
 * Gathers the events of {@link NFNLGRP_NFTABLES} into changes. A change comes as any number of datagrams, the last
 * message of which names its generation and its author. Memory is bounded.
 */
export class RulesetChanges {
  readonly #watched: ReadonlySet<string>;
  #tableByKey = new Map<string, OpenTable>();
  #whole = true;

  /** `watched`: names of chains, sets and objects that {@link TouchedTable.names} tells of, in whatever table. */
  constructor(watched: Iterable<string> = []) {
    this.#watched = new Set(watched);
  }

  /** Takes a datagram, and returns the changes that it completes. */
  receive(datagram: Uint8Array): RulesetChange[] {
    const messages = parseMessages(datagram);
    if (!messages.ok) {
      this.lost();
      return [];
    }
    return messages.value.flatMap((message) => this.#take(message) ?? []);
  }

  /**
   * Events were lost, and perhaps whole changes: whoever wants the rules as they are reads them now. The change that
   * completes next is not whole, for its beginning may be among what was lost.
   */
  lost(): void {
    this.#tableByKey.clear();
    this.#whole = false;
  }

  #take({ type, port, payload }: NetlinkMessage): RulesetChange | undefined {
    if (type >> 8 !== NFNL_SUBSYS_NFTABLES) return undefined;
    const attributes = parseAttributes(payload.subarray(HEADER_LENGTH));
    if (payload.length < HEADER_LENGTH || !attributes.ok) {
      this.lost();
      return undefined;
    }
    if ((type & 0xff) === NFT_MSG_NEWGEN) return this.#complete(attributes.value, port);
    this.#touch(type & 0xff, FAMILY_BY_NUMBER[payload[0]!] ?? 'other', attributes.value);
    return undefined;
  }

  #touch(type: number, family: TableFamily, attributes: Attributes): void {
    const object = OBJECT_BY_TYPE[type];
    const name = attributeText(attributes, NFTA_TABLE);
    if (!object || name === undefined) {
      this.#whole = false;
      return;
    }
    const key = `${family} ${name}`;
    let table = this.#tableByKey.get(key);
    if (!table) {
      if (this.#tableByKey.size === MAX_TABLES) {
        this.#whole = false;
        return;
      }
      table = { family, name, deleted: false, set: false, objects: new Set(), names: new Set() };
      this.#tableByKey.set(key, table);
    }
    if (object !== 'table') {
      table.objects.add(object);
      const named = attributeText(attributes, NFTA_NAME[object]);
      if (named !== undefined && this.#watched.has(named)) table.names.add(named);
    } else if (type === NFT_MSG_NEWTABLE) table.set = true;
    else table.deleted = true;
  }

  #complete(attributes: Attributes, port: number): RulesetChange {
    const change: RulesetChange = {
      generation: attributeU32BE(attributes, NFTA_GEN_ID) ?? 0,
      program: attributeText(attributes, NFTA_GEN_PROC_NAME),
      pid: attributeU32BE(attributes, NFTA_GEN_PROC_PID),
      port,
      tables: [...this.#tableByKey.values()],
      whole: this.#whole,
    };
    this.#tableByKey = new Map();
    this.#whole = true;
    return change;
  }
}

/** Netfilter's attributes are in network order, unlike those of routing. */
function attributeU32BE(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type);
  return value?.length === 4 ? readU32BE(value, 0) : undefined;
}
