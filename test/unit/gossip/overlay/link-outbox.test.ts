import assert from 'node:assert/strict';
import { instant } from '../../../../base/instant.ts';
import { accuserOf, type Rumour } from '../../../../gossip/model/rumour.ts';
import { LinkOutbox, MAX_LINK_RUMOURS } from '../../../../gossip/overlay/link-outbox.ts';
import { peer } from '../fakes.ts';

const at = instant;
const suspect = (subject: number, accuser = 1): Rumour => ({
  subject: peer(subject),
  state: 'suspect',
  accuser: accuserOf(peer(accuser)),
  version: { epoch: 1, sequence: 1 },
});

describe('link outbox', () => {
  it('holds a rumour once, and hands it out once', () => {
    const outbox = new LinkOutbox();
    for (let i = 0; i < 3; i++) outbox.addRumour(suspect(2));
    assert.deepEqual(outbox.takeRumours(), [suspect(2)]);
    assert.deepEqual(outbox.takeRumours(), []);
  });

  it('keeps the accusers of one subject apart, since each confirms', () => {
    const outbox = new LinkOutbox();
    outbox.addRumour(suspect(2, 3));
    outbox.addRumour(suspect(2, 4));
    assert.equal(outbox.rumourCount, 2);
  });

  it('is bounded: the oldest rumour falls out', () => {
    const outbox = new LinkOutbox();
    for (let i = 0; i <= MAX_LINK_RUMOURS; i++) outbox.addRumour(suspect(i));
    const left = outbox.takeRumours();
    assert.equal(left.length, MAX_LINK_RUMOURS);
    assert.equal(left[0]!.subject, peer(1));
  });

  it('goes out when the first of a batch is due, however many join it', () => {
    const outbox = new LinkOutbox();
    outbox.flushSoon(50, at(0));
    outbox.flushSoon(50, at(40));
    outbox.announceSoon(200, at(10));
    assert.equal(outbox.nextTimeout(), 50);
    outbox.flushAt = undefined;
    assert.equal(outbox.nextTimeout(), 210);
  });

  it('has no timer while the shell cannot send', () => {
    const outbox = new LinkOutbox();
    outbox.flushSoon(50, at(0));
    outbox.congestedSince = at(10);
    assert.equal(outbox.nextTimeout(), undefined);
  });
});
