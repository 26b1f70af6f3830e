import { deepEqual, equal } from 'node:assert/strict';
import { concat, utf8, writeU32LE } from '../../../../base/bytes.ts';
import { readGoings } from '../../../../daemon/pods/read-goings.ts';

const IN_DELETE = 0x200;
const IN_MOVED_FROM = 0x40;

function event(mask: number, name = ''): Uint8Array {
  const room = name === '' ? 0 : 16 * Math.ceil((name.length + 1) / 16);
  const out = new Uint8Array(16 + room);
  writeU32LE(out, 0, 1);
  writeU32LE(out, 4, mask);
  writeU32LE(out, 12, room);
  out.set(utf8(name), 16);
  return out;
}

describe('what inotify tells of a folder of namespaces', () => {
  it('is which names went, in order', () => {
    deepEqual(readGoings(concat(event(IN_DELETE, 'cni-1'), event(IN_MOVED_FROM, 'a name of 16 ch.'))), [
      'cni-1',
      'a name of 16 ch.',
    ]);
    deepEqual(readGoings(new Uint8Array(0)), []);
  });

  it('is that any may have gone where the folder went, or events were lost', () => {
    for (const mask of [0x400, 0x800, 0x2000, 0x4000, 0x8000])
      equal(readGoings(concat(event(IN_DELETE, 'cni-1'), event(mask))), 'all');
  });

  it('is that any may have gone where it cannot be read', () => {
    const whole = event(IN_DELETE, 'cni-1');
    for (let length = 1; length < whole.length; length++) equal(readGoings(whole.subarray(0, length)), 'all');
  });
});
