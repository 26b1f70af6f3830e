import { deepEqual, equal } from 'node:assert/strict';
import { ConnectionPlaces } from '../../../../host/http/connection-places.ts';
import { connectionSource } from '../../../../host/http/connection-source.ts';

describe('ConnectionPlaces', () => {
  it('gives a place to each, as long as there are some', () => {
    const places = new ConnectionPlaces<string>(2);
    equal(places.take('a1', 'a'), undefined);
    equal(places.take('b1', 'b'), undefined);
    places.free('a1', 'a');
    places.free('a1', 'a');
    equal(places.taken, 1);
    equal(places.take('c1', 'c'), undefined);
  });

  it('takes one from the source that has most, the oldest first', () => {
    const places = new ConnectionPlaces<string>(4);
    for (const [each, source] of [
      ['b1', 'b'],
      ['a1', 'a'],
      ['a2', 'a'],
      ['a3', 'a'],
    ] as const)
      places.take(each, source);
    equal(places.take('a4', 'a'), 'a1');
    equal(places.take('b2', 'b'), 'a2');
    // Two each: the source that came first gives way.
    equal(places.take('c1', 'c'), 'b1');
    equal(places.taken, 4);
    // Who had to go has no place to free any more.
    places.free('b1', 'b');
    equal(places.taken, 4);
  });
});

describe('connectionSource', () => {
  it('is an IPv4 address, a /64 of IPv6, or loopback as a whole', () => {
    const same = (...remotes: string[]): boolean => new Set(remotes.map(connectionSource)).size === 1;
    deepEqual(
      [
        same('192.0.2.1', '::ffff:192.0.2.1'),
        same('192.0.2.1', '192.0.2.2'),
        same('2001:db8::1', '2001:db8::2:3'),
        same('2001:db8::1', '2001:db8:0:1::1'),
        same('127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'),
        same('fe80::1%eth0', 'fe80::1%eth1'),
      ],
      [true, false, true, false, true, true],
    );
  });
});
