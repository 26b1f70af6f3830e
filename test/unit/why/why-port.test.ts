import { deepEqual, equal } from 'node:assert/strict';
import { readWhyPort, whyPortText } from '../../../why/why-port.ts';

describe('the port that weft why is asked about', () => {
  const CASES: readonly (readonly [text: string, port: string])[] = [
    ['80', 'TCP 80'],
    ['443/tcp', 'TCP 443'],
    ['53/UDP', 'UDP 53'],
    ['9/sctp', 'SCTP 9'],
    ['http', 'TCP 80'],
    ['dns', 'UDP 53'],
    ['ping', 'ICMP echo'],
  ];
  for (const [text, port] of CASES)
    it(`reads ${text} as ${port}`, () => equal(whyPortText(readWhyPort(text)!), port));

  it('reads nothing else', () => {
    const wrong = ['', '0', '65536', '-1', '80/', '80/icmp', 'toString', '8 0', '80/tcp/udp'];
    deepEqual(
      wrong.filter((text) => readWhyPort(text) !== undefined),
      [],
    );
  });
});
