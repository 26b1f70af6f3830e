import { equal, match, notEqual } from 'node:assert/strict';
import { after, instant } from '../../../base/instant.ts';
import { osRandom } from '../../../host/os-random.io.ts';
import { LINK_MS, Sessions } from '../../../ui/access/sessions.ts';

const NOW = instant(1_000);
const HOUR_MS = 3_600_000;

describe('sessions', () => {
  let sessions: Sessions<string>;
  beforeEach(() => {
    sessions = new Sessions(osRandom);
  });

  it('are had for a link, once', () => {
    const link = sessions.newLink(NOW);
    match(link, /^[\w-]{43}$/);
    equal(sessions.followLink(link, NOW), true);
    equal(sessions.followLink(link, NOW), false);
  });

  it('are not had for a link that is old, or was never given', () => {
    const link = sessions.newLink(NOW);
    equal(sessions.followLink(link, after(NOW, LINK_MS)), false);
    equal(sessions.followLink('x'.repeat(43), NOW), false);
    equal(sessions.followLink('', NOW), false);
  });

  it('know by their token what may be seen, until they end', () => {
    const [a, b] = [sessions.begin('all', NOW), sessions.begin('little', NOW)];
    notEqual(a, b);
    equal(sessions.rightsOf(a, NOW), 'all');
    equal(sessions.rightsOf(b, NOW), 'little');
    sessions.end(a);
    equal(sessions.rightsOf(a, NOW), undefined);
    equal(sessions.rightsOf('', NOW), undefined);
  });

  it('end twelve hours after they were used last', () => {
    const token = sessions.begin('all', NOW);
    equal(sessions.rightsOf(token, after(NOW, 11 * HOUR_MS)), 'all');
    equal(sessions.rightsOf(token, after(NOW, 22 * HOUR_MS)), 'all');
    equal(sessions.rightsOf(token, after(NOW, 34 * HOUR_MS)), undefined);
  });

  it('are bounded: the one that was silent longest ends, and so do links', () => {
    const link = sessions.newLink(NOW);
    const [used, silent] = [sessions.begin('used', NOW), sessions.begin('silent', NOW)];
    for (let i = 0; i < 399; i++) {
      sessions.begin('more', NOW);
      sessions.rightsOf(used, NOW);
    }
    equal(sessions.rightsOf(used, NOW), 'used');
    equal(sessions.rightsOf(silent, NOW), undefined);
    for (let i = 0; i < 64; i++) sessions.newLink(NOW);
    equal(sessions.followLink(link, NOW), false);
  });
});
