import { deepEqual, equal } from 'node:assert/strict';
import { decodeRequest, encodeMessage } from '../../../../control/control-protocol.ts';
import {
  agreedVersion,
  OFFER_VERSION,
  readDatapathOffer,
} from '../../../../daemon/handover/datapath-offer.ts';

const own = { port: 6783, listen: ['10.0.0.1', '::1'], sockets: 2 };
const offer = { version: OFFER_VERSION, port: 6783, listen: ['::1', '10.0.0.1'] };

describe('the offer to go on with a datapath', () => {
  it('is agreed to by the newest version that both know', () => {
    equal(agreedVersion(own, offer), OFFER_VERSION);
    equal(agreedVersion(own, { ...offer, version: OFFER_VERSION + 5 }), OFFER_VERSION);
  });

  it('is refused where the other would open other sockets, or nothing can be handed over', () => {
    equal(agreedVersion(own, undefined), undefined);
    equal(agreedVersion(own, { ...offer, port: 7000 }), undefined);
    equal(agreedVersion(own, { ...offer, listen: [] }), undefined);
    equal(agreedVersion({ ...own, sockets: undefined }, offer), undefined);
    equal(agreedVersion({ ...own, sockets: 3 }, offer), undefined);
  });

  it('is read without trust, and may say more', () => {
    deepEqual(readDatapathOffer({ ...offer, more: 1 }), offer);
    const wrong = [undefined, null, 1, {}, { ...offer, version: 0 }, { ...offer, version: '1' }];
    for (const value of [
      ...wrong,
      { ...offer, port: -1 },
      { ...offer, listen: [1] },
      { ...offer, listen: 'a' },
    ])
      equal(readDatapathOffer(value), undefined);
  });

  it('rides on the request for the node, to which a newer weftd may add', () => {
    const request = { op: 'yield', cluster: '0'.repeat(32) } as const;
    deepEqual(decodeRequest(encodeMessage(request)), { ok: true, value: request });
    const offering = { ...request, datapath: offer };
    deepEqual(decodeRequest(encodeMessage({ ...offering, later: true })), { ok: true, value: offering });
  });
});
