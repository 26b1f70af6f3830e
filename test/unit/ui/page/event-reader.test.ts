import { deepEqual } from 'node:assert/strict';
import { EventReader } from '../../../../ui/page/live/event-reader.js';

const STREAM =
  ': hello\n\nevent: picture\ndata: {"a":\ndata: 1}\n\n: \n\ndata:x\r\n\r\nevent: change\ndata: ü→\n\n';
const EVENTS = [
  { name: 'picture', data: '{"a":\n1}' },
  { name: 'message', data: 'x' },
  { name: 'change', data: 'ü→' },
];

describe('the reader of server-sent events', () => {
  it('reads them in whatever pieces they come', () => {
    for (let size = 1; size <= STREAM.length; size++) {
      const reader = new EventReader();
      const events = [];
      for (let at = 0; at < STREAM.length; at += size)
        events.push(...reader.take(STREAM.slice(at, at + size)));
      deepEqual(events, EVENTS, `pieces of ${size}`);
    }
  });

  it('tells nothing of an event that is not complete', () => {
    const reader = new EventReader();
    deepEqual(reader.take('event: change\ndata: {"a"'), []);
    deepEqual(reader.take(':1}\n'), []);
    deepEqual(reader.take('\n'), [{ name: 'change', data: '{"a":1}' }]);
  });
});
