import { equal } from 'node:assert/strict';
import fc from 'fast-check';
import { formatAddress } from '../../../base/address.ts';
import { endpoint, endpointHost, endpointPort, parseEndpoint } from '../../../base/endpoint.ts';
import { someAddress } from './some-address.ts';

describe('parseEndpoint', () => {
  const good: readonly [string, string][] = [
    ['192.0.2.1:6783', '192.0.2.1:6783'],
    ['[2001:db8::1]:6783', '[2001:db8::1]:6783'],
    ['[2001:0DB8:0::1]:1', '[2001:db8::1]:1'],
    ['0.0.0.0:65535', '0.0.0.0:65535'],
  ];
  for (const [text, canonical] of good) it(`reads ${text}`, () => equal(parseEndpoint(text), canonical));

  const bad = [
    ...[
      '',
      '192.0.2.1',
      '192.0.2.1:',
      '192.0.2.1:0',
      '192.0.2.1:65536',
      '192.0.2.1:06783',
      '192.0.2.1:-1',
      'a:1',
    ],
    ...[
      '2001:db8::1:6783',
      '[192.0.2.1]:1',
      '[2001:db8::1]',
      '[2001:db8::1]6783',
      '[]:1',
      '192.0.2.1:1 ',
      '[::1%lo]:1',
    ],
  ];
  for (const text of bad) it(`refuses '${text}'`, () => equal(parseEndpoint(text), undefined));

  it('reads back every endpoint in canonical form, host and port', () => {
    fc.assert(
      fc.property(someAddress, fc.integer({ min: 1, max: 65535 }), (address, port) => {
        const at = endpoint(address, port);
        equal(parseEndpoint(at), at);
        equal(endpointHost(at), formatAddress(address));
        equal(endpointPort(at), port);
      }),
    );
  });
});
