import { deepEqual } from 'node:assert/strict';
import { PictureMaker } from '../../../ui/picture/picture-maker.ts';
import { flows } from './ui-fixtures.ts';

describe('the notes of a picture', () => {
  it('tell of lost events for a minute, whatever time a node says it was', () => {
    for (const at of [0, 8.64e15]) {
      const maker = new PictureMaker({});
      maker.takeFlows(flows([{ kind: 'gap', at, from: 0, reason: 'overrun', count: null }]), 100_000);
      const notes = [159_999, 160_000].map((now) => maker.picture(now).notes.length);
      deepEqual(notes, [1, 0], `at ${at}`);
    }
  });
});
