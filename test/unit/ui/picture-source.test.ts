import { deepEqual, equal } from 'node:assert/strict';
import { WeftError } from '../../../base/weft-error.ts';
import { PictureSource } from '../../../ui/picture-source.io.ts';
import { FakePrograms } from './ui-fixtures.ts';

describe('who asks for what the page shows', () => {
  it('puts one question to all nodes after the other', async () => {
    const programs = new FakePrograms();
    let underway = 0;
    let most = 0;
    const asked: FakePrograms['weftd'] = async (request) => {
      const isOfAll = request.op === 'flowTotals' || request.op === 'clusterTunnels';
      if (isOfAll) most = Math.max(most, ++underway);
      await new Promise(setImmediate);
      if (isOfAll) underway--;
      return programs.weftd(request);
    };
    const source = new PictureSource({
      asked: { weftd: asked, npc: programs.npc.bind(programs) },
      ...{ cluster: true, reasons: {}, onPicture: () => {} },
    });
    await source.picture();
    deepEqual(programs.asked.slice(-3), ['flowTotals', 'flowTotals', 'clusterTunnels']);
    equal(most, 1);
  });

  it('hears what is denied on this node from a weftd that cannot follow all', async () => {
    const programs = new FakePrograms();
    const clusters: unknown[] = [];
    let isOver = () => {};
    const over = new Promise<void>((resolve) => {
      isOver = resolve;
    });
    const outcomes = ['E_BAD_REQUEST', 'E_NO_ANSWER', undefined];
    const weftd: FakePrograms['weftd'] = async (request, signal) => {
      if (request.op !== 'flows') return programs.weftd(request, signal);
      clusters.push('cluster' in request && request.cluster);
      const outcome = outcomes.shift();
      if (outcome !== undefined) throw new WeftError(outcome as 'E_NO_ANSWER', 'it is another one', 'wait');
      isOver();
      return programs.weftd(request, signal);
    };
    const source = new PictureSource({
      asked: { weftd, npc: programs.npc.bind(programs) },
      ...{ cluster: true, reasons: {}, onPicture: () => {} },
    });
    source.watch();
    await over;
    source.rest();
    deepEqual(clusters, [true, false, true]);
  });
});
