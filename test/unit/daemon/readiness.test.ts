import { deepEqual } from 'node:assert/strict';
import { readinessOf } from '../../../daemon/readiness.ts';
import type { Readiness } from '../../../host/health-server.io.ts';
import type { IpamStatus } from '../../../ipam/model/types.ts';

describe('readiness', () => {
  const of = (
    state: IpamStatus['state'],
    { isPluginReady = true, hasAddress = true, detail = 'the detail' } = {},
  ): Readiness => {
    const ipam = { status: () => ({ state, detail }), allocation: () => (hasAddress ? {} : undefined) };
    return readinessOf({ ipam }, isPluginReady);
  };

  it('needs no more than an address of the node and a plugin that hears calls', () => {
    for (const state of ['ready', 'waiting', 'fault'] as const) deepEqual(of(state), { ready: true });
  });

  it('says why there is none', () => {
    deepEqual(of('ready', { isPluginReady: false }), { ready: false, reason: 'weftd is starting' });
    deepEqual(of('waiting', { hasAddress: false }), { ready: false, reason: 'the detail' });
    deepEqual(of('waiting', { hasAddress: false, detail: '' }), {
      ready: false,
      reason: 'this node has no address yet',
    });
    deepEqual(of('removed'), { ready: false, reason: 'the detail' });
  });
});
