import { deepEqual, equal } from 'node:assert/strict';
import { concat, hex, writeU32BE } from '../../../base/bytes.ts';
import { attribute, encodeMessage, nestedAttribute, textAttribute } from '../../../linux/netlink-message.ts';
import { parseTrace } from '../../../linux/parse-trace.ts';
import { redirectIngress } from '../../../linux/rtnetlink/redirect-ingress.ts';

const NFT_TRACE = (10 << 8) | 17;

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  writeU32BE(out, 0, value);
  return out;
}

/** As the kernel tells of a packet at a rule that drops it. */
function traced(...more: readonly Uint8Array[]): Uint8Array {
  const base = [
    textAttribute(1, 'filter'),
    textAttribute(2, 'f'),
    attribute(6, u32(0xdeadbeef)),
    attribute(10, u32(3)),
    ...more,
  ];
  return encodeMessage(NFT_TRACE, 0, 0, concat(Uint8Array.of(2, 0, 0, 0), ...base));
}

const RULE = [attribute(4, u32(3)), attribute(3, concat(u32(0), u32(12)))];

describe('what the kernel traces', () => {
  it('is read where a rule drops', () => {
    const verdict = nestedAttribute(5, attribute(1, u32(0)));
    const headers = [attribute(8, Uint8Array.of(0x45)), attribute(9, Uint8Array.of(1, 2))];
    deepEqual(parseTrace(traced(...RULE, verdict, ...headers)), [
      {
        ...{ id: 0xdeadbeef, family: 'ip', table: 'filter', chain: 'f', rule: 12, isDrop: true },
        ...{ inIndex: 3, outIndex: undefined },
        headers: { network: Uint8Array.of(0x45), transport: Uint8Array.of(1, 2) },
      },
    ]);
  });

  it('is no drop where a rule lets go on, and one by the policy of a chain', () => {
    const goesOn = nestedAttribute(5, attribute(1, u32(0xffffffff)));
    const policy = (value: number) => traced(attribute(4, u32(1)), attribute(16, u32(value)));
    const drops = [traced(...RULE, goesOn), policy(1), policy(0)].map(
      (bytes) => parseTrace(bytes)[0]!.isDrop,
    );
    deepEqual(drops, [false, false, true]);
  });

  it('is nothing where it is cut or of another kind', () => {
    deepEqual(parseTrace(traced(...RULE).subarray(0, 30)), []);
    deepEqual(parseTrace(encodeMessage(NFT_TRACE + 1, 0, 0, new Uint8Array(8))), []);
    deepEqual(parseTrace(encodeMessage(NFT_TRACE, 0, 0, new Uint8Array(2))), []);
  });
});

describe('the requests that redirect an interface', () => {
  it('are those of tc', () => {
    const [queue, filter] = redirectIngress(8, 5);
    // As strace shows them of `tc qdisc add dev … ingress` and `tc filter add … u32 match u32 0 0 action mirred …`.
    equal(hex(queue!.body), '00000000080000000000fffff1ffffff000000000c000100696e677265737300');
    equal(
      hex(filter!.body).startsWith('00000000080000000000000000 00ffff00030100'.replaceAll(' ', '')),
      true,
      hex(filter!.body),
    );
  });
});
