import { deepEqual, equal } from 'node:assert/strict';
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
});
