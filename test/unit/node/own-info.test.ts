import { equal, ok } from 'node:assert/strict';
import { decodeNodeInfo, encodeNodeInfo } from '../../../gossip/model/node-info.ts';
import type { NodeOptions } from '../../../node/node-types.ts';
import { ownInfoOf } from '../../../node/own-info.ts';

describe('what a node tells of itself', () => {
  for (const [underlay, told] of [
    [65_536, 65_535],
    [1_500, 1_500],
    [576, 576],
    [0, 576],
  ] as const)
    it(`is taken by its peers where the underlay carries ${underlay} bytes`, () => {
      const options = {
        self: { name: 'a', version: '1', identity: { noise: { publicKey: new Uint8Array(32) } } },
        underlay: { mtu: underlay, endpoints: [] },
        overlay: { suites: [] },
        ipam: { init: { mode: 'none' } },
      } as unknown as NodeOptions;
      const info = ownInfoOf(options, { endpoints: [], addresses: [], free: {}, sessionsSince: undefined });
      const read = decodeNodeInfo(encodeNodeInfo({ ...info, links: [] }));
      ok(read.ok);
      equal(read.value.mtu, told);
    });
});
