import { addressBytes, parseAddress } from '../../base/address.ts';
import { utf8, writeU16BE, writeU32BE } from '../../base/bytes.ts';
import {
  attribute,
  encodeMessage,
  join,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_REQUEST,
  nestedAttribute,
  textAttribute,
} from '../netlink-message.ts';

/** An element of a set or map of a table of the family inet: a link, an address, or both one after the other. */
export interface TableElement {
  readonly link?: string;
  /** As `formatAddress` writes it. */
  readonly address?: string;
  /** The chain that the map leads to. */
  readonly goto?: string;
}

/** Elements that come into a set or map, or go out of it. */
export interface ElementStep {
  readonly verb: 'add' | 'delete';
  readonly set: string;
  readonly elements: readonly TableElement[];
}

/** The element as nft reads it. */
export function elementText({ link, address, goto }: TableElement): string {
  const key = [link === undefined ? [] : `"${link}"`, address ?? []].flat().join(' . ');
  return goto === undefined ? key : `${key} : goto ${goto}`;
}

const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;
const NFPROTO_INET = 1;
/** Attributes of NFT_MSG_NEWSETELEM, and of what is nested in them (linux/netfilter/nf_tables.h). */
const NFTA_SET_ELEM_LIST = { table: 1, set: 2, elements: 3 } as const;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM = { key: 1, data: 2 } as const;
const NFTA_DATA = { value: 1, verdict: 2 } as const;
const NFTA_VERDICT = { code: 1, chain: 2 } as const;
const NFT_GOTO = -4;

/** Bytes of the name of a link, with NUL behind it (IFNAMSIZ). */
const LINK_BYTES = 16;
/** An attribute has a length of 16 bits, and an element some 100 bytes. */
const ELEMENTS_IN_MESSAGE = 400;

/**
 * One transaction of nftables that carries out `steps` in order, in a table of the family inet. All its messages have the
 * number `sequence`, and the last one is acknowledged: so the kernel's first answer is the first error, or that all is done.
 *
 * What nft does for the same is to read all chains and sets of the machine before; here names are taken for granted, and
 * the kernel refuses what is not there.
 */
export function encodeElements(table: string, steps: readonly ElementStep[], sequence: number): Uint8Array {
  const parts = steps.flatMap(({ verb, set, elements }) =>
    chunks(elements).map((some) => ({ verb, set, elements: some })),
  );
  const messages = parts.map(({ verb, set, elements }, i) => {
    const type = verb === 'add' ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
    const create = verb === 'add' ? NLM_F_CREATE : 0;
    const ack = i === parts.length - 1 ? NLM_F_ACK : 0;
    return encodeMessage(
      (NFNL_SUBSYS_NFTABLES << 8) | type,
      NLM_F_REQUEST | create | ack,
      sequence,
      join([
        header(NFPROTO_INET, 0),
        textAttribute(NFTA_SET_ELEM_LIST.table, table),
        textAttribute(NFTA_SET_ELEM_LIST.set, set),
        nestedAttribute(NFTA_SET_ELEM_LIST.elements, ...elements.map((each) => encodeElement(verb, each))),
      ]),
    );
  });
  const [begin, end] = [NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END].map((type) =>
    encodeMessage(type, NLM_F_REQUEST, sequence, header(0, NFNL_SUBSYS_NFTABLES)),
  );
  return join([begin!, ...messages, end!]);
}

/** nfgenmsg: family, version, resource id. */
function header(family: number, resource: number): Uint8Array {
  const out = Uint8Array.of(family, 0, 0, 0);
  writeU16BE(out, 2, resource);
  return out;
}

function encodeElement(verb: ElementStep['verb'], { link, address, goto }: TableElement): Uint8Array {
  const key: Uint8Array[] = [];
  if (link !== undefined) {
    const name = new Uint8Array(LINK_BYTES);
    name.set(utf8(link));
    key.push(name);
  }
  if (address !== undefined) key.push(addressBytes(parseAddress(address)!));
  const parts = [nestedAttribute(NFTA_SET_ELEM.key, attribute(NFTA_DATA.value, join(key)))];
  if (goto !== undefined && verb === 'add') {
    const code = new Uint8Array(4);
    writeU32BE(code, 0, NFT_GOTO >>> 0);
    const verdict = [attribute(NFTA_VERDICT.code, code), textAttribute(NFTA_VERDICT.chain, goto)];
    parts.push(nestedAttribute(NFTA_SET_ELEM.data, nestedAttribute(NFTA_DATA.verdict, ...verdict)));
  }
  return nestedAttribute(NFTA_LIST_ELEM, ...parts);
}

function chunks<T>(all: readonly T[]): T[][] {
  const count = Math.ceil(all.length / ELEMENTS_IN_MESSAGE);
  return Array.from({ length: count }, (_, i) =>
    all.slice(i * ELEMENTS_IN_MESSAGE, (i + 1) * ELEMENTS_IN_MESSAGE),
  );
}
