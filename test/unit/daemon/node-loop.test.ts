import { deepEqual } from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { NodeLoop } from '../../../daemon/node-loop.io.ts';
import type { WeftNode } from '../../../node/weft-node.ts';

describe('NodeLoop', () => {
  it('touches the node no more once it is stopped, whatever still ends then', async () => {
    const touched: string[] = [];
    const node = {
      settle: () => touched.push('settle'),
      poll: () => undefined,
      nextTimeout: () => undefined,
    } as unknown as WeftNode;
    const loop = new NodeLoop({ node, onFault: (error) => touched.push(String(error)) });
    loop.settleNow();
    loop.close();
    const before = [...touched];
    loop.settleNow();
    loop.wake();
    await nextTurn();
    deepEqual([before, touched], [['settle'], ['settle']]);
  });
});
