import { deepEqual, equal } from 'node:assert/strict';
import fc from 'fast-check';
import { formatPeerHint, parsePeerHint } from '../../../../daemon/settings/peer-hint.ts';

describe('parsePeerHint', () => {
  const good: readonly [string, string, number][] = [
    ['node-a', 'node-a', 6783],
    ['Node-A.Example.org.', 'node-a.example.org', 6783],
    ['node_a:7000', 'node_a', 7000],
    ['192.0.2.1', '192.0.2.1', 6783],
    ['192.0.2.1:65535', '192.0.2.1', 65535],
    ['2001:DB8::1', '2001:db8::1', 6783],
    ['[2001:db8:0::1]', '2001:db8::1', 6783],
    ['[2001:db8::1]:1', '2001:db8::1', 1],
    ['1a.example', '1a.example', 6783],
  ];
  for (const [text, host, port] of good) {
    it(`reads '${text}'`, () => deepEqual(parsePeerHint(text, 6783), { host, port }));
  }

  const bad = [
    '',
    ':6783',
    'a:0',
    'a:65536',
    'a:06783',
    'a:b',
    'a b',
    'a/b',
    '-a',
    'a-',
    'a..b',
    '10.0.0',
    '10.0.0.256',
    '[192.0.2.1]:6783',
    '[node]:6783',
    '2001:db8::1::',
    'http://a',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(127)}ab`,
    'fe80::1%eth0',
  ];
  for (const text of bad)
    it(`refuses '${text.slice(0, 30)}'`, () => equal(parsePeerHint(text, 6783), undefined));

  it('reads back what it writes, whatever the port', () => {
    const host = fc.constantFrom('a', 'a.example', '192.0.2.7', '2001:db8::7', '::1');
    fc.assert(
      fc.property(host, fc.integer({ min: 1, max: 65535 }), (host, port) => {
        deepEqual(parsePeerHint(formatPeerHint({ host, port }), 1), { host, port });
      }),
    );
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parsePeerHint(text, 6783)));
  });
});
