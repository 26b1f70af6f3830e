import { strict as assert } from 'node:assert';
import { instant } from '../../../../base/instant.ts';
import type { PeerId } from '../../../../base/peer-id.ts';
import type { Datapath, DataSession } from '../../../../router/datapath/datapath.ts';
import { CONFIRM_WITHIN_MS, REJECT_AFTER_MS, Sessions } from '../../../../router/tunnel/sessions.ts';

const FACTS = { peerEpoch: 1, peerMtu: 1364 };
const session = (localIndex: number): DataSession => ({
  peer: 'aa'.repeat(32) as PeerId,
  localIndex,
  remoteIndex: 1000 + localIndex,
  suite: 'chacha20-poly1305',
  peerTakesMarks: true,
  sendKey: new Uint8Array(32),
  receiveKey: new Uint8Array(32),
});

function make(): { sessions: Sessions; live: Set<number>; released: number[] } {
  const live = new Set<number>();
  const released: number[] = [];
  const datapath = {
    install: (one: DataSession) => void live.add(one.localIndex),
    remove: (index: number) => void live.delete(index),
  } as Partial<Datapath> as Datapath;
  return {
    sessions: new Sessions({ datapath, released: (index) => void released.push(index) }),
    live,
    released,
  };
}

describe('sessions', () => {
  it('that we initiated are current at once, and the previous session stays for late packets', () => {
    const { sessions, live } = make();
    sessions.installInitiated(session(1), FACTS, instant(0));
    sessions.installInitiated(session(2), FACTS, instant(10));
    assert.equal(sessions.current?.localIndex, 2);
    assert.deepEqual([...live], [1, 2]);
  });

  it('that we answered wait for their confirmation and replace nothing before', () => {
    const { sessions, live } = make();
    sessions.installInitiated(session(1), FACTS, instant(0));
    sessions.installResponded(session(2), FACTS, instant(10));
    assert.equal(sessions.current?.localIndex, 1);
    assert.equal(sessions.confirm(1), false);
    assert.equal(sessions.confirm(3), false);
    assert.equal(sessions.confirm(2), true);
    assert.equal(sessions.confirm(2), false);
    assert.equal(sessions.current?.localIndex, 2);
    assert.deepEqual([...live], [1, 2]);
  });

  it('are never more than three, and give their indices back', () => {
    const { sessions, live, released } = make();
    for (let i = 1; i <= 100; i++) {
      if (i % 2 === 0) sessions.installInitiated(session(i), FACTS, instant(i));
      else sessions.installResponded(session(i), FACTS, instant(i));
      if (i % 5 === 0) sessions.confirm(i);
      assert.ok(sessions.size <= 3 && live.size === sessions.size);
    }
    assert.equal(released.length + live.size, 100);
    sessions.clear();
    assert.equal(live.size, 0);
    assert.equal(released.length, 100);
  });

  it('end by time: unconfirmed ones after 30 s, all after 180 s', () => {
    const { sessions, live } = make();
    sessions.installInitiated(session(1), FACTS, instant(0));
    sessions.installResponded(session(2), FACTS, instant(1000));
    assert.equal(sessions.nextTimeout(), 1000 + CONFIRM_WITHIN_MS);
    sessions.tick(instant(1000 + CONFIRM_WITHIN_MS));
    assert.deepEqual([...live], [1]);
    assert.equal(sessions.nextTimeout(), REJECT_AFTER_MS);
    sessions.tick(instant(REJECT_AFTER_MS - 1));
    assert.equal(live.size, 1);
    sessions.tick(instant(REJECT_AFTER_MS));
    assert.equal(live.size, 0);
    assert.equal(sessions.current, undefined);
    assert.equal(sessions.nextTimeout(), undefined);
  });
});
