import { deepEqual, equal } from 'node:assert/strict';
import { PictureMaker } from '../../../ui/picture/picture-maker.ts';
import { flows, totals } from './ui-fixtures.ts';

describe('the notes of a picture', () => {
  it('name who told of flows, and not of tunnels', () => {
    const maker = new PictureMaker({});
    const silent = ['n2', 'n3', 'n4', 'n5', 'n6'].map((node) => ({ node, reason: 'it is busy' }));
    maker.takeTotals(totals([], { silent: silent.slice(0, 1) }), 0);
    maker.takeTunnels({ tunnels: [], more: 0, nodes: 0, silent }, 0);
    deepEqual(maker.picture(0).notes, [
      'tunnels of some nodes are not known: n3 (it is busy), n4 (it is busy), n5 (it is busy) and 1 more',
    ]);
    maker.takeTunnels({ tunnels: [], more: 0, nodes: 5, silent: silent.slice(0, 1) }, 0);
    equal(maker.picture(0).notes.length, 0);
  });

  it('tell of lost events for a minute, whatever time a node says it was', () => {
    for (const at of [0, 8.64e15]) {
      const maker = new PictureMaker({});
      maker.takeFlows(flows([{ kind: 'gap', at, from: 0, reason: 'overrun', count: null }]), 100_000);
      const notes = [159_999, 160_000].map((now) => maker.picture(now).notes.length);
      deepEqual(notes, [1, 0], `at ${at}`);
    }
  });
});
