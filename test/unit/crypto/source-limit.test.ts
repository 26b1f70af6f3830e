import assert from 'node:assert/strict';
import { parseEndpoint } from '../../../base/endpoint.ts';
import { after, instant } from '../../../base/instant.ts';
import {
  SOURCE_BURST,
  SOURCE_RATE_PER_SECOND,
  SOURCES_MAX,
  SourceLimit,
  sourceOf,
} from '../../../crypto/source-limit.ts';

const start = instant(0);

describe('source limit', () => {
  it('allows a burst and then the rate', () => {
    const limit = new SourceLimit();
    for (let i = 0; i < SOURCE_BURST; i++) assert.ok(limit.allow('a', start));
    assert.ok(!limit.allow('a', start));
    assert.ok(limit.allow('b', start), 'another source has its own');
    assert.ok(!limit.allow('a', after(start, 49)));
    assert.ok(limit.allow('a', after(start, 50)));
    assert.ok(!limit.allow('a', after(start, 51)));
  });

  it('gives a flooder its rate and no more over ten seconds', () => {
    const limit = new SourceLimit();
    let allowed = 0;
    for (let ms = 0; ms < 10_000; ms++) if (limit.allow('a', after(start, ms))) allowed++;
    assert.ok(allowed <= 10 * SOURCE_RATE_PER_SECOND + SOURCE_BURST, `${allowed}`);
    assert.ok(allowed >= 10 * SOURCE_RATE_PER_SECOND - 1, `${allowed}`);
  });

  it('never saves up more than a burst', () => {
    const limit = new SourceLimit();
    limit.allow('a', start);
    let allowed = 0;
    for (let i = 0; i < 20; i++) if (limit.allow('a', after(start, 1e9))) allowed++;
    assert.equal(allowed, SOURCE_BURST);
  });

  it('remembers a bounded number of sources, and takes new ones when old ones are quiet', () => {
    const limit = new SourceLimit();
    for (let i = 0; i < SOURCES_MAX + 500; i++) {
      assert.equal(limit.allow(`s${i}`, start), i < SOURCES_MAX);
      assert.ok(limit.size <= SOURCES_MAX);
    }
    assert.ok(limit.allow('s0', after(start, 249)), 'who is known goes on');
    assert.ok(!limit.allow('early', after(start, 249)), 'the others may not be forgotten yet');
    assert.ok(limit.allow('late', after(start, 250)));
    assert.equal(limit.size, 2, 'the quiet ones are forgotten, the busy one is not'); // s0 and late
  });

  it('counts by address, whatever the port, and IPv6 by /64', () => {
    const of = (text: string) => sourceOf(parseEndpoint(text)!);
    assert.equal(of('192.0.2.1:1'), of('192.0.2.1:2'));
    assert.notEqual(of('192.0.2.1:1'), of('192.0.2.2:1'));
    assert.equal(of('[2001:db8:0:1::1]:1'), of('[2001:db8:0:1:ffff::2]:9'));
    assert.notEqual(of('[2001:db8:0:1::1]:1'), of('[2001:db8:0:2::1]:1'));
    assert.equal(of('[::ffff:192.0.2.1]:5'), of('192.0.2.1:5'));
    assert.notEqual(of('[::ffff:192.0.2.1]:5'), of('[::ffff:192.0.2.2]:5'));
  });
});
