import { addressFromBytes, formatAddress } from '../../base/address.ts';
import { readU16BE } from '../../base/bytes.ts';
import {
  PROBE_HOOKS,
  type ProbeAnswer,
  type ProbeDrop,
  type Sighting,
  type Sightings,
} from '../../control/probe-request.ts';
import type { TraceEvent } from '../../linux/parse-trace.ts';
import type { ProbeFlow } from './probe-flow.ts';
import { probeTableName } from './probe-table.ts';

const RST = 0x04;

/**
 * Makes sightings of what the kernel traces. Packets of others, which may have been traced by another table, are left out.
 *
 * @param linkName the name of the interface with an index.
 */
export function sightingsOf(
  id: string,
  flow: ProbeFlow,
  events: readonly TraceEvent[],
  linkName: (index: number) => string,
): Sightings {
  const ours = probeTableName(id);
  const packetById = new Map<number, Packet>();
  const seenByKey = new Map<string, Sighting>();
  const dropByKey = new Map<string, ProbeDrop>();
  for (const event of events) {
    const read = event.headers && readPacket(flow, event.headers.network, event.headers.transport);
    if (read !== undefined) packetById.set(event.id, read);
    const packet = packetById.get(event.id);
    if (packet === undefined) continue;
    const { way, other, port, says } = packet;
    const { family, table, chain, rule } = event;
    if (event.isDrop) {
      const key = `${way} ${family} ${table} ${chain} ${rule}`;
      if (!dropByKey.has(key)) dropByKey.set(key, { way, family, table, chain, rule: rule ?? null });
    }
    const at = PROBE_HOOKS.find((hook) => hook === chain);
    if (table !== ours || at === undefined) continue;
    const index = at === 'in' || at === 'input' ? event.inIndex : event.outIndex;
    const key = `${way} ${at}`;
    if (seenByKey.has(key)) continue;
    seenByKey.set(key, {
      way,
      at,
      link: index === undefined ? '' : linkName(index),
      other,
      ...(port === undefined ? {} : { port }),
      ...(says === undefined ? {} : { says }),
    });
  }
  return { seen: [...seenByKey.values()], drops: [...dropByKey.values()] };
}

type Packet = Pick<Sighting, 'way' | 'other' | 'port' | 'says'>;

/** Undefined for a packet that is not of the probe. */
function readPacket(flow: ProbeFlow, network: Uint8Array, transport: Uint8Array): Packet | undefined {
  const isV4 = flow.source.family === 4;
  if (network.length < (isV4 ? 20 : 40) || transport.length < 8) return undefined;
  const own = formatAddress(flow.source);
  const [from, to] = (isV4 ? [12, 16] : [8, 24]).map((at) =>
    formatAddress(addressFromBytes(network.subarray(at, at + (isV4 ? 4 : 16)))!),
  ) as [string, string];
  const protocol = network[isV4 ? 9 : 6];
  if (protocol === (isV4 ? 1 : 58)) return readIcmp(flow, transport, { from, to, own });
  if (from === own && readU16BE(transport, 0) === flow.mark)
    return { way: 'there', other: to, port: readU16BE(transport, 2) };
  if (to !== own || readU16BE(transport, 2) !== flow.mark) return undefined;
  const says = flow.protocol === 'UDP' ? 'answered' : (transport[13]! & RST) === 0 ? 'accepted' : 'refused';
  return { way: 'back', other: from, says };
}

function readIcmp(
  { source, protocol, mark }: ProbeFlow,
  transport: Uint8Array,
  { from, to, own }: { readonly from: string; readonly to: string; readonly own: string },
): Packet | undefined {
  const [type, code] = [transport[0]!, transport[1]!];
  const isV4 = source.family === 4;
  const isEcho = protocol === 'ICMP' && readU16BE(transport, 4) === mark;
  if (isEcho && from === own && type === (isV4 ? 8 : 128)) return { way: 'there', other: to };
  if (to !== own) return undefined;
  if (isEcho && type === (isV4 ? 0 : 129)) return { way: 'back', other: from, says: 'answered' };
  // The packet that it is about begins at byte 8: its IPv4 id is at 4, its IPv6 flow label ends at 4.
  if (transport.length < 14 || readU16BE(transport, isV4 ? 12 : 10) !== mark) return undefined;
  const says = (isV4 ? errorOfIcmp4 : errorOfIcmp6)(type, code);
  return says === undefined ? undefined : { way: 'error', other: from, says };
}

/** RFC 792, RFC 1812 section 5.2.7.1. */
function errorOfIcmp4(type: number, code: number): ProbeAnswer | undefined {
  if (type !== 3) return undefined;
  if (code === 3) return 'port-closed';
  if (code === 4) return 'too-big';
  return [9, 10, 13].includes(code) ? 'prohibited' : 'unreachable';
}

/** RFC 4443. */
function errorOfIcmp6(type: number, code: number): ProbeAnswer | undefined {
  if (type === 2) return 'too-big';
  if (type !== 1) return undefined;
  if (code === 4) return 'port-closed';
  return [1, 5, 6].includes(code) ? 'prohibited' : 'unreachable';
}
