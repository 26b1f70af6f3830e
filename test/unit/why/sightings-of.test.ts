import { deepEqual } from 'node:assert/strict';
import { parseAddress } from '../../../base/address.ts';
import { writeU16BE } from '../../../base/bytes.ts';
import type { TraceEvent } from '../../../linux/parse-trace.ts';
import type { ProbeFlow } from '../../../why/probe/probe-flow.ts';
import { probePacket } from '../../../why/probe/probe-packet.ts';
import { sightingsOf } from '../../../why/probe/sightings-of.ts';

const ENDS = {
  4: { source: parseAddress('10.32.0.2')!, target: parseAddress('10.40.0.9')! },
  6: { source: parseAddress('fd00::2')!, target: parseAddress('fd00:1::9')! },
};

function flowOf(protocol: ProbeFlow['protocol'], family: 4 | 6): ProbeFlow {
  return { protocol, ...ENDS[family], port: protocol === 'ICMP' ? 0 : 80, mark: 61_234 };
}

/** The headers of a packet as the kernel tells them. */
function headersOf(packet: Uint8Array): NonNullable<TraceEvent['headers']> {
  const at = packet[0]! >> 4 === 4 ? 20 : 40;
  return { network: packet.subarray(0, at), transport: packet.subarray(at, at + 20) };
}

/** The packet that answers `flow`, its checksums aside. */
function answerTo(flow: ProbeFlow, change: (transport: Uint8Array) => void): Uint8Array {
  const { source, target } = flow;
  const packet = probePacket({ ...flow, source: target, target: source }, 1);
  const { transport } = headersOf(packet);
  if (flow.protocol !== 'ICMP') {
    writeU16BE(transport, 0, flow.port);
    writeU16BE(transport, 2, flow.mark);
  }
  change(transport);
  return packet;
}

/** An ICMP error of the target about `flow`. */
function errorAbout(flow: ProbeFlow, type: number, code: number): NonNullable<TraceEvent['headers']> {
  const { source, target } = flow;
  const { network } = headersOf(
    probePacket({ ...flow, protocol: 'ICMP', source: target, target: source }, 1),
  );
  const transport = new Uint8Array(20);
  transport.set([type, code]);
  transport.set(probePacket(flow, 1).subarray(0, 12), 8);
  return { network, transport };
}

function event(chain: string, over: Partial<TraceEvent>): TraceEvent {
  const at = { family: 'inet', table: 'weft-why-01', chain, rule: undefined, isDrop: false };
  return { id: 1, ...at, inIndex: 5, outIndex: 7, headers: undefined, ...over };
}

const seenOf = (flow: ProbeFlow, events: readonly TraceEvent[]) =>
  sightingsOf('01', flow, events, (index) => `if${index}`);

describe('what is seen of a probe', () => {
  it('is each station once, by the interface of its side', () => {
    const flow = flowOf('TCP', 4);
    const headers = headersOf(probePacket(flow, 1));
    const events = ['in', 'in', 'forward', 'out'].map((chain) => event(chain, { headers }));
    deepEqual(seenOf(flow, [...events, ...events]), {
      seen: [
        { way: 'there', at: 'in', link: 'if5', other: '10.40.0.9', port: 80 },
        { way: 'there', at: 'forward', link: 'if7', other: '10.40.0.9', port: 80 },
        { way: 'there', at: 'out', link: 'if7', other: '10.40.0.9', port: 80 },
      ],
      drops: [],
    });
  });

  it('is told of events without headers by the packet that they belong to', () => {
    const flow = flowOf('UDP', 6);
    const headers = headersOf(probePacket(flow, 1));
    const drop = event('f', { family: 'ip6', table: 'filter', rule: 4, isDrop: true });
    deepEqual(seenOf(flow, [event('in', { headers }), drop, { ...drop, id: 2 }]).drops, [
      { way: 'there', family: 'ip6', table: 'filter', chain: 'f', rule: 4 },
    ]);
  });

  for (const family of [4, 6] as const) {
    const says = (flow: ProbeFlow, headers: TraceEvent['headers']) =>
      seenOf(flow, [event('in', { headers })]).seen.map((each) => `${each.way} ${each.says}`);
    it(`reads what answers say over IPv${family}`, () => {
      const tcp = flowOf('TCP', family);
      const flags = (value: number) => headersOf(answerTo(tcp, (transport) => transport.set([value], 13)));
      deepEqual(says(tcp, flags(0x12)), ['back accepted']);
      deepEqual(says(tcp, flags(0x14)), ['back refused']);
      const udp = flowOf('UDP', family);
      deepEqual(says(udp, headersOf(answerTo(udp, () => undefined))), ['back answered']);
      const echo = flowOf('ICMP', family);
      const reply = answerTo(echo, (transport) => transport.set([family === 4 ? 0 : 129], 0));
      deepEqual(says(echo, headersOf(reply)), ['back answered']);
      const errors: readonly (readonly [type: number, code: number, says: string])[] =
        family === 4
          ? [
              [3, 3, 'port-closed'],
              [3, 4, 'too-big'],
              [3, 13, 'prohibited'],
              [3, 1, 'unreachable'],
            ]
          : [
              [1, 4, 'port-closed'],
              [2, 0, 'too-big'],
              [1, 1, 'prohibited'],
              [1, 3, 'unreachable'],
            ];
      for (const [type, code, meaning] of errors)
        deepEqual(says(udp, errorAbout(udp, type, code)), [`error ${meaning}`]);
    });

    it(`leaves out what is of others over IPv${family}`, () => {
      const udp = flowOf('UDP', family);
      const other = { ...udp, mark: 61_235 };
      deepEqual(says(udp, headersOf(probePacket(other, 1))), []);
      deepEqual(says(udp, errorAbout(other, family === 4 ? 3 : 1, family === 4 ? 3 : 4)), []);
      deepEqual(says(udp, { network: new Uint8Array(3), transport: new Uint8Array(3) }), []);
    });
  }
});
