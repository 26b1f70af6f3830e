import { equal } from 'node:assert/strict';
import { after, instant } from '../../../../base/instant.ts';
import {
  HANDSHAKE_BURST,
  HANDSHAKES_PER_SECOND,
  LinkAdmission,
  SEEN_MAX,
} from '../../../../router/link/link-admission.ts';
import { seededRandom } from '../../../seeded-random.ts';

const NOW = instant(1000);

describe('the admission of link handshakes', () => {
  const random = seededRandom(1);
  const fresh = (): Uint8Array => random.bytes(32);
  const admission = (known: string[] = []): LinkAdmission =>
    new LinkAdmission({ isKnown: (source) => known.includes(source) });

  it('answers a first message once', () => {
    const door = admission();
    const recorded = fresh();
    equal(door.judge('192.0.2.1', recorded, NOW), 'admit');
    for (let i = 0; i < 100; i++) equal(door.judge('192.0.2.1', recorded, NOW), 'replayed');
    equal(door.judge('192.0.2.2', recorded, NOW), 'replayed', 'from elsewhere too');
    equal(door.judge('192.0.2.1', fresh(), NOW), 'admit', 'and a replay uses up nobody’s share');
  });

  it('limits one source, and lets others in meanwhile', () => {
    const door = admission();
    const verdicts = Array.from({ length: 50 }, () => door.judge('192.0.2.1', fresh(), NOW));
    equal(verdicts.filter((verdict) => verdict === 'admit').length, 5);
    equal(door.judge('192.0.2.2', fresh(), NOW), 'admit');
    equal(door.judge('192.0.2.1', fresh(), after(NOW, 1000)), 'admit');
  });

  it('limits all strangers together, and lets known peers in meanwhile', () => {
    const door = admission(['198.51.100.7']);
    let admitted = 0;
    for (let i = 0; i < 2000; i++)
      if (door.judge(`10.0.${i >> 8}.${i & 255}`, fresh(), NOW) === 'admit') admitted++;
    equal(admitted, HANDSHAKE_BURST);
    equal(door.judge('198.51.100.7', fresh(), NOW), 'admit');
    for (let i = 0; i < 2000; i++)
      if (door.judge(`10.1.${i >> 8}.${i & 255}`, fresh(), after(NOW, 1000)) === 'admit') admitted++;
    equal(admitted, HANDSHAKE_BURST + HANDSHAKES_PER_SECOND);
  });

  it('remembers a bounded number', () => {
    const door = admission();
    for (let i = 0; i < 2 * SEEN_MAX; i++) door.judge(`s${i}`, fresh(), after(NOW, 100 * i));
    equal(door.seen, SEEN_MAX);
  });
});
