import assert from 'node:assert/strict';
import fc from 'fast-check';
import { concat, readU16BE, readU32BE } from '../../../../base/bytes.ts';
import { fragmentIpv4, fragmentIpv6 } from '../../../../router/packet/fragmentation.ts';
import { ipPacket, naiveChecksum, parsed, pattern } from './ip-packets.ts';

const V4 = { source: '10.32.0.1', destination: '10.33.0.1', protocol: 99, id: 4711 };

function fragments(packet: Uint8Array, mtu: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  fragmentIpv4(packet, parsed(packet), mtu, (fragment) => out.push(fragment.slice()));
  return out;
}

describe('IPv4 fragmentation', () => {
  it('loses and doubles no byte, whatever the sizes, also of a packet that is a fragment itself', () => {
    const sizes = fc.record({
      length: fc.integer({ min: 1, max: 4000 }),
      mtu: fc.integer({ min: 68, max: 1500 }),
      offset: fc.integer({ min: 0, max: 3000 }),
      more: fc.boolean(),
    });
    fc.assert(
      fc.property(sizes, ({ length, mtu, offset, more }) => {
        const payload = pattern(more ? length * 8 : length);
        const flagsAndOffset = offset | (more ? 0x2000 : 0);
        const cuts = fragments(ipPacket({ ...V4, flagsAndOffset }, payload), mtu);
        const rebuilt = new Uint8Array(payload.length);
        let at = offset * 8;
        for (const [i, one] of cuts.entries()) {
          assert.ok(one.length <= mtu && readU16BE(one, 2) === one.length && readU16BE(one, 4) === 4711);
          assert.equal(naiveChecksum(one.subarray(0, 20)), 0);
          assert.equal((readU16BE(one, 6) & 0x1fff) * 8, at);
          assert.equal((readU16BE(one, 6) & 0x2000) !== 0, more || i < cuts.length - 1);
          rebuilt.set(one.subarray(20), at - offset * 8);
          at += one.length - 20;
        }
        assert.equal(at, offset * 8 + payload.length);
        assert.deepEqual(rebuilt, payload);
      }),
    );
  });

  it('repeats only the options that ask for it', () => {
    // Record route (7) stays in the first, router alert (148) is copied; no-operations fill up.
    const options = Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 1, 148, 4, 0, 0);
    const [first, second, third] = fragments(
      ipPacket({ ...V4, dontFragment: false, options }, pattern(200)),
      108,
    );
    assert.deepEqual(first!.subarray(20, 32), options);
    for (const later of [second!, third!]) {
      assert.equal(later[0], 0x46);
      assert.deepEqual(later.subarray(20, 24), Uint8Array.of(148, 4, 0, 0));
      assert.equal(naiveChecksum(later.subarray(0, 24)), 0);
    }
    assert.deepEqual([first!.length - 32, second!.length - 24, third!.length - 24], [72, 80, 48]);
  });
});

const V6 = { source: 'fd00::1', destination: 'fd00:1::1' };
const HOP_BY_HOP = [0, 1, 4, 0, 0, 0, 0];

function fragments6(packet: Uint8Array, mtu: number): Uint8Array[] | undefined {
  const out: Uint8Array[] = [];
  const cut = fragmentIpv6(packet, parsed(packet), { mtu, identification: 0xfeedf00d }, (fragment) => {
    out.push(fragment.slice());
  });
  return cut ? out : undefined;
}

describe('IPv6 fragmentation', () => {
  it('loses and doubles no byte, whatever the sizes, also of a packet that is a fragment itself', () => {
    const sizes = fc.record({
      length: fc.integer({ min: 1, max: 1280 }),
      mtu: fc.integer({ min: 80, max: 1279 }),
      options: fc.boolean(),
      fragment: fc.option(fc.record({ offset: fc.integer({ min: 1, max: 7000 }), more: fc.boolean() }), {
        nil: undefined,
      }),
    });
    fc.assert(
      fc.property(sizes, ({ length, mtu, options, fragment }) => {
        const payload = pattern(fragment?.more ? (length | 7) + 1 : length);
        const place = fragment === undefined ? 0 : fragment.offset * 8 + Number(fragment.more);
        const inFront = options ? Uint8Array.of(fragment ? 44 : 99, ...HOP_BY_HOP) : new Uint8Array(0);
        const own = fragment ? [99, 0, place >> 8, place & 255, 1, 2, 3, 4] : [];
        const protocol = options ? 0 : fragment ? 44 : 99;
        const packet = ipPacket(
          { ...V6, tos: 3, flowLabel: 77, protocol },
          concat(inFront, Uint8Array.from(own), payload),
        );
        const cuts = fragments6(packet, mtu)!;
        const head = 40 + inFront.length;
        let at = 0;
        for (const [i, one] of cuts.entries()) {
          const last = i === cuts.length - 1;
          assert.ok(one.length <= mtu && readU16BE(one, 4) === one.length - 40);
          assert.equal(readU32BE(one, 0), readU32BE(packet, 0), 'class and flow label');
          assert.deepEqual(one.subarray(7, 40), packet.subarray(7, 40));
          assert.equal(one[options ? 40 : 6], 44);
          assert.equal(one[head], 99);
          assert.equal(readU32BE(one, head + 4), fragment ? 0x01020304 : 0xfeedf00d);
          assert.equal(readU16BE(one, head + 2) & 7, last ? Number(fragment?.more ?? false) : 1);
          assert.equal(readU16BE(one, head + 2) & ~7, (place & ~7) + at);
          const piece = one.subarray(head + 8);
          assert.ok(last || piece.length % 8 === 0);
          assert.deepEqual(piece, payload.subarray(at, at + piece.length));
          assert.equal(parsed(one).fragment, true);
          at += piece.length;
        }
        assert.equal(at, payload.length);
      }),
    );
  });

  it('cuts nothing where headers leave no room, or where options hide that it is a fragment', () => {
    const long = Uint8Array.of(99, 31, ...new Uint8Array(254));
    assert.equal(fragments6(ipPacket({ ...V6, protocol: 0 }, concat(long, pattern(900))), 304), undefined);
    assert.equal(fragments6(ipPacket({ ...V6, protocol: 0 }, concat(long, pattern(900))), 312)!.length, 113);
    const hidden = Uint8Array.of(44, 0, 1, 4, 0, 0, 0, 0, 99, 0, 0, 1, 0, 0, 0, 9);
    assert.equal(fragments6(ipPacket({ ...V6, protocol: 60 }, concat(hidden, pattern(80))), 100), undefined);
  });
});
