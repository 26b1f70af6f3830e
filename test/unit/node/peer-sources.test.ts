import { deepEqual } from 'node:assert/strict';
import { parseEndpoint } from '../../../base/endpoint.ts';
import type { PeerId } from '../../../base/peer-id.ts';
import { PeerSources } from '../../../node/peer-sources.ts';

const [a, b] = ['a', 'b'] as PeerId[] as [PeerId, PeerId];
const at = (...texts: string[]) => texts.map((text) => parseEndpoint(text)!);

describe('the sources at which known peers live', () => {
  it('are those of their latest records, an IPv6 /64 as one', () => {
    const sources = new PeerSources();
    const known = (): boolean[] =>
      ['192.0.2.1', '192.0.2.2', '20010db800000000/64'].map((it) => sources.has(it));
    sources.set(a, at('192.0.2.1:6783', '[2001:db8::1]:6783'));
    sources.set(b, at('192.0.2.1:6784', '192.0.2.2:6783'));
    deepEqual(known(), [true, true, true]);
    sources.set(a, at('198.51.100.1:6783'));
    deepEqual(known(), [true, true, false]);
    sources.forget(b);
    deepEqual(known(), [false, false, false]);
    sources.forget(b);
  });
});
