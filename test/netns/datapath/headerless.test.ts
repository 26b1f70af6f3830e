import { deepEqual } from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Namespace } from '../namespaces.ts';

const LANES = fileURLToPath(new URL('../inside/headerless-lanes.ts', import.meta.url));
const WEFT_NODE = fileURLToPath(new URL('../../../bin/weft-node', import.meta.url));

describe('the lanes of the fast datapath', () => {
  it('do without virtio headers on the TUN, and complete partial checksums then', async () => {
    const namespace = await Namespace.create('hl');
    try {
      const said = JSON.parse(await namespace.run(WEFT_NODE, LANES)) as unknown;
      deepEqual(said, { vnetHeader: false, complete: true, answer: 'echo hello' });
    } finally {
      await namespace.delete();
    }
  });
});
