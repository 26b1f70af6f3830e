import { writeU16LE, writeU32LE } from '../../base/bytes.ts';
import {
  attribute,
  join,
  NLM_F_CREATE,
  NLM_F_EXCL,
  nestedAttribute,
  textAttribute,
} from '../netlink-message.ts';
import { command, type NetlinkRequest } from '../netlink-request.ts';

const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TC_H_INGRESS = 0xfffffff1;
/** The handle `ffff:`, which the queue of what comes in has. */
const INGRESS_HANDLE = 0xffff0000;
/** Priority 1, and ETH_P_ALL (3) in network order. */
const FIRST_FOR_ALL = (1 << 16) | 0x0300;
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TC_U32_TERMINAL = 1;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const TC_ACT_STOLEN = 4;
const TCA_INGRESS_REDIR = 3;

/**
 * The requests that have everything which comes in by the interface of index `from` come in by that of `to` instead, as
 * `tc qdisc add … ingress` and `tc filter … action mirred ingress redirect` do. Nothing changes at `to`. ENOENT where the
 * kernel lacks one of ingress, u32 and mirred.
 */
export function redirectIngress(from: number, to: number): readonly NetlinkRequest[] {
  const queue = join([header(from, INGRESS_HANDLE, TC_H_INGRESS, 0), textAttribute(TCA_KIND, 'ingress')]);
  const filter = join([
    header(from, 0, INGRESS_HANDLE, FIRST_FOR_ALL),
    textAttribute(TCA_KIND, 'u32'),
    nestedAttribute(
      TCA_OPTIONS,
      attribute(TCA_U32_SEL, everyPacket()),
      nestedAttribute(
        TCA_U32_ACT,
        nestedAttribute(
          1,
          textAttribute(TCA_ACT_KIND, 'mirred'),
          nestedAttribute(TCA_ACT_OPTIONS, attribute(TCA_MIRRED_PARMS, redirection(to))),
        ),
      ),
    ),
  ]);
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  return [
    command(`add an ingress queue to link ${from}`, RTM_NEWQDISC, flags, queue),
    command(`redirect link ${from} to ${to}`, RTM_NEWTFILTER, flags, filter),
  ];
}

/**
 * ```
 *   0        4        8        12       16     20
 *   | family | index  | handle | parent | info |          tcmsg
 * ```
 */
function header(link: number, handle: number, parent: number, info: number): Uint8Array {
  const out = new Uint8Array(20);
  writeU32LE(out, 4, link);
  writeU32LE(out, 8, handle);
  writeU32LE(out, 12, parent);
  writeU32LE(out, 16, info);
  return out;
}

/** tc_u32_sel with one key of mask 0, which every packet has. */
function everyPacket(): Uint8Array {
  const out = new Uint8Array(32);
  out[0] = TC_U32_TERMINAL;
  out[2] = 1;
  return out;
}

/** tc_mirred: index, capabilities, action, two counts, what to do, interface. */
function redirection(to: number): Uint8Array {
  const out = new Uint8Array(28);
  writeU16LE(out, 8, TC_ACT_STOLEN);
  writeU16LE(out, 20, TCA_INGRESS_REDIR);
  writeU32LE(out, 24, to);
  return out;
}
