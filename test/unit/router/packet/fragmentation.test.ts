import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readU16BE } from '../../../../base/bytes.ts';
import { fragmentIpv4 } from '../../../../router/packet/fragmentation.ts';
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
