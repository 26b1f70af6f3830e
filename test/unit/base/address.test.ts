import { deepEqual, equal, ok } from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import {
  addressBytes,
  addressFromBytes,
  compareAddresses,
  formatAddress,
  parseAddress,
  sameAddress,
} from '../../../base/address.ts';
import { someAddress } from './some-address.ts';

describe('formatAddress', () => {
  /** RFC 5952, by section. */
  const canonical: readonly [why: string, text: string, written: string][] = [
    ['§4.1 leading zeros', '2001:0db8::0001', '2001:db8::1'],
    ['§4.2.1 shorten as much as possible', '2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['§4.2.2 not one group alone', '2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['§4.2.3 the longest run', '2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['§4.2.3 the first of equal runs', '2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['§4.3 lower case', '2001:DB8::ABCD', '2001:db8::abcd'],
    ['all zero', '0:0:0:0:0:0:0:0', '::'],
    ['zeros first', '0:0:0:0:0:0:0:1', '::1'],
    ['zeros last', '1:0:0:0:0:0:0:0', '1::'],
    ['an embedded IPv4 tail', '64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['IPv4', '192.0.2.1', '192.0.2.1'],
    ['IPv4 of high value', '255.255.255.255', '255.255.255.255'],
  ];
  for (const [why, text, written] of canonical) {
    it(`writes ${why}`, () => equal(formatAddress(parseAddress(text)!), written));
  }

  it('writes text that reads back, is no longer than any other, and that Node knows', () => {
    fc.assert(
      fc.property(someAddress, (address) => {
        const text = formatAddress(address);
        deepEqual(parseAddress(text), address);
        ok(address.family === 4 ? isIPv4(text) : isIPv6(text), text);
        equal(text, text.toLowerCase());
      }),
    );
  });
});

describe('parseAddress', () => {
  const bad = [
    ...[
      '',
      '1',
      '1.2.3',
      '1.2.3.4.5',
      '256.0.0.1',
      '01.2.3.4',
      '1.2.3.4 ',
      ' 1.2.3.4',
      '1..2.3',
      '0x1.2.3.4',
      '-1.2.3.4',
    ],
    ...[
      ':',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7::8',
      '12345::',
      'g::',
      '::1%eth0',
    ],
    ...[
      '1:2:3:4:5:6:7:',
      ':1:2:3:4:5:6:7',
      '1.2.3.4::',
      '::1.2.3',
      '::1.2.3.4:5',
      '1:2:3:4:5:6:7:1.2.3.4',
      '[::1]',
      '::/0',
    ],
  ];
  for (const text of bad) it(`refuses '${text}'`, () => equal(parseAddress(text), undefined));

  it('accepts exactly what Node does, zones aside', () => {
    const character = fc.constantFrom(...'0123456789abcdefF:::...');
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 24 }), (text) => {
        equal(parseAddress(text) !== undefined, isIPv4(text) || isIPv6(text), text);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('addressBytes', () => {
  it('is in network order', () => {
    deepEqual([...addressBytes(parseAddress('192.0.2.1')!)], [192, 0, 2, 1]);
    deepEqual(
      [...addressBytes(parseAddress('2001:db8::1')!)],
      [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    );
  });

  it('reads back, and nothing but 4 or 16 bytes reads', () => {
    fc.assert(
      fc.property(someAddress, (address) => deepEqual(addressFromBytes(addressBytes(address)), address)),
    );
    for (const length of [0, 3, 5, 8, 15, 17]) equal(addressFromBytes(new Uint8Array(length)), undefined);
  });
});

describe('compareAddresses', () => {
  it('is a total order, IPv4 first, that agrees with sameAddress', () => {
    fc.assert(
      fc.property(someAddress, someAddress, (a, b) => {
        equal(Math.sign(compareAddresses(a, b)), -Math.sign(compareAddresses(b, a)) + 0);
        equal(compareAddresses(a, b) === 0, sameAddress(a, b));
        const expected = a.family - b.family || (a.value < b.value ? -1 : a.value > b.value ? 1 : 0);
        equal(Math.sign(compareAddresses(a, b)), Math.sign(expected));
      }),
    );
  });

  it('does not take a mapped address for the IPv4 one', () => {
    ok(!sameAddress(parseAddress('::ffff:192.0.2.1')!, parseAddress('192.0.2.1')!));
  });
});
