import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Address, addressBytes, type Family, parseAddress } from '../../../../base/address.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { parseCidr, type Range, rangeContains } from '../../../../base/range.ts';
import type { Route } from '../../../../router/datapath/datapath.ts';
import { RouteTable } from '../../../../router/datapath/route-table.ts';

const peer = (digit: number): PeerId => String(digit).repeat(64) as PeerId;
const route = (cidr: string, owner: number): Route => ({ range: parseCidr(cidr)!, owner: peer(owner) });
const owner = (table: RouteTable, text: string): PeerId | undefined => table.ownerOf(parseAddress(text)!);

describe('the route table', () => {
  const table = new RouteTable([
    route('10.32.0.0/16', 1),
    route('10.33.0.0/16', 2),
    route('10.35.0.0/16', 1),
    route('255.255.255.0/24', 3),
    route('fd00::/65', 1),
    route('fd00:0:0:0:8000::/65', 2),
    route('ffff:ffff:ffff:ffff:ffff:ffff:ffff:0/112', 3),
  ]);

  const cases: [string, number | undefined][] = [
    ['10.31.255.255', undefined],
    ['10.32.0.0', 1],
    ['10.32.255.255', 1],
    ['10.33.0.0', 2],
    ['10.34.0.0', undefined],
    ['10.35.255.255', 1],
    ['10.36.0.0', undefined],
    ['0.0.0.0', undefined],
    ['255.255.255.255', 3],
    ['fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', undefined],
    ['fd00::', 1],
    ['fd00::7fff:ffff:ffff:ffff', 1],
    ['fd00::8000:0:0:0', 2],
    ['fd00::ffff:ffff:ffff:ffff', 2],
    ['fd00:0:0:1::', undefined],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 3],
  ];
  for (const [address, expected] of cases) {
    it(`finds the owner of ${address}`, () =>
      assert.equal(owner(table, address), expected === undefined ? undefined : peer(expected)));
  }

  it('owns nothing when it is empty', () => {
    assert.equal(new RouteTable([]).ownerIndex(4, new Uint8Array(4), 0), -1);
    assert.equal(new RouteTable([]).ownerIndex(6, new Uint8Array(16), 0), -1);
  });

  it('gives an address that two peers claim to neither, and keeps the rest', () => {
    const split = new RouteTable([
      route('10.32.0.0/15', 1),
      route('10.33.0.0/16', 2),
      route('10.34.0.0/16', 2),
    ]);
    assert.equal(owner(split, '10.32.0.1'), peer(1));
    assert.equal(owner(split, '10.33.0.1'), undefined);
    assert.equal(owner(split, '10.34.0.1'), peer(2));
    assert.equal(split.contestedSpans, 1);
  });

  it('agrees with a search through all routes, overlapping ones too', () => {
    // A small space, so that borders and overlaps are common.
    const base: Record<Family, bigint> = { 4: 0x0a200000n, 6: (0xfdn << 120n) | (0xffff_fff0n << 32n) };
    const step: Record<Family, bigint> = { 4: 1n, 6: 0x4000_0001n }; // IPv6 crosses words
    const range = fc.tuple(fc.constantFrom<Family>(4, 6), fc.nat(40), fc.nat(9)).map(
      ([family, start, length]): Range => ({
        family,
        start: base[family] + BigInt(start) * step[family],
        end: base[family] + BigInt(start + length + 1) * step[family],
      }),
    );
    const routes = fc.array(fc.record({ range, owner: fc.nat(3).map(peer) }), { maxLength: 12 });
    fc.assert(
      fc.property(routes, (all) => {
        const lookup = new RouteTable(all);
        for (const family of [4, 6] as const) {
          for (let i = -2; i < 56; i++) {
            const address: Address = { family, value: base[family] + BigInt(i) * step[family] };
            const claims = new Set(
              all.filter((one) => rangeContains(one.range, address)).map((one) => one.owner),
            );
            const expected = claims.size === 1 ? [...claims][0] : undefined;
            assert.equal(lookup.owners[lookup.ownerIndex(family, addressBytes(address), 0)], expected);
          }
        }
      }),
    );
  });
});
