import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Address } from '../../../../base/address.ts';
import { parseAddress } from '../../../../base/address.ts';
import type { Endpoint } from '../../../../base/endpoint.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import { encodeMsgpack } from '../../../../gossip/model/msgpack.ts';
import {
  decodeNodeInfo,
  encodeNodeInfo,
  MAX_LINKS,
  type NodeInfo,
} from '../../../../gossip/model/node-info.ts';
import { MAX_PAYLOAD_LENGTH } from '../../../../gossip/model/record.ts';

const peer = (n: number): PeerId => n.toString(16).padStart(64, '0') as PeerId;
const info: NodeInfo = {
  name: 'node-1.example',
  endpoints: ['192.0.2.1:6783', '[2001:db8::1]:6783'] as Endpoint[],
  noiseKey: new Uint8Array(32).fill(7),
  version: '0.1.0',
  links: [peer(1), peer(2)],
  addresses: [parseAddress('10.32.0.1') as Address, parseAddress('fd00::1') as Address],
  suites: 3,
  mtu: 1500,
  free: { 4: 10, 6: 60 },
};

/** The map that encodeNodeInfo writes, with some fields replaced. */
function raw(change: Record<string, unknown>): Uint8Array {
  const base = {
    name: 'a',
    endpoints: [],
    noiseKey: new Uint8Array(32),
    version: '1',
    links: new Uint8Array(0),
    addresses: [],
    suites: 1,
    mtu: 1500,
  };
  return encodeMsgpack({ ...base, ...change });
}

describe('node info', () => {
  it('survives encoding', () => {
    for (const each of [
      info,
      { ...info, free: {} },
      { ...info, wantsRange: true, sessionsSince: 3, leaving: true },
    ]) {
      assert.deepEqual(decodeNodeInfo(encodeNodeInfo(each)), { ok: true, value: each });
    }
  });

  it('fits its slot when every list is full', () => {
    const full: NodeInfo = {
      ...info,
      name: 'n'.repeat(253),
      version: 'v'.repeat(64),
      endpoints: Array.from(
        { length: 16 },
        (_, i) => `[2001:db8:ffff:ffff:ffff:ffff:ffff:${i + 1}]:65535` as Endpoint,
      ),
      links: Array.from({ length: MAX_LINKS }, (_, i) => peer(i)),
      addresses: Array.from(
        { length: 8 },
        (_, i) => ({ family: 6, value: 2n ** 127n + BigInt(i) }) as Address,
      ),
    };
    const bytes = encodeNodeInfo(full);
    assert.ok(bytes.length <= MAX_PAYLOAD_LENGTH.node, `${bytes.length}`);
    assert.deepEqual(decodeNodeInfo(bytes), { ok: true, value: full });
  });

  it('skips fields of later versions', () => {
    assert.equal(decodeNodeInfo(raw({ later: [1, 2] })).ok, true);
  });

  for (const [what, change] of [
    ['an empty name', { name: '' }],
    ['a name with a line feed', { name: 'a\nb' }],
    ['a name of 254 characters', { name: 'a'.repeat(254) }],
    ['a name that is a number', { name: 5 }],
    ['an endpoint with leading zeros', { endpoints: ['192.0.2.1:06783'] }],
    ['an endpoint not in canonical form', { endpoints: ['[2001:DB8::1]:6783'] }],
    ['a host name as endpoint', { endpoints: ['example.org:6783'] }],
    ['17 endpoints', { endpoints: Array.from({ length: 17 }, (_, i) => `192.0.2.${i + 1}:6783`) }],
    ['a short key', { noiseKey: new Uint8Array(31) }],
    ['a key of text', { noiseKey: 'x'.repeat(32) }],
    ['a part of a link', { links: new Uint8Array(33) }],
    ['a link named twice', { links: new Uint8Array(64) }],
    ['too many links', { links: new Uint8Array(32 * (MAX_LINKS + 1)) }],
    ['an address of 5 bytes', { addresses: [new Uint8Array(5)] }],
    ['a negative suite map', { suites: -1 }],
    ['an MTU of 575', { mtu: 575 }],
    ['a fractional MTU', { mtu: 1500.5 }],
    ['33 free bits of 32', { free4: 33 }],
    ['a flag that is a number', { wantsRange: 1 }],
    ['no version', { version: null }],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.deepEqual(decodeNodeInfo(raw(change)), { ok: false, reason: 'invalid' });
    });
  }

  it('refuses what is no map', () => {
    for (const value of [1, null, [], 'text', new Uint8Array(4)]) {
      assert.deepEqual(decodeNodeInfo(encodeMsgpack(value)), { ok: false, reason: 'malformed' });
    }
  });

  it('never throws, whatever the bytes', () => {
    const valid = encodeNodeInfo(info);
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.nat(255), (at, value) => {
        const bytes = valid.slice();
        bytes[at] = value;
        decodeNodeInfo(bytes);
        decodeNodeInfo(valid.subarray(0, at));
      }),
    );
  });
});
