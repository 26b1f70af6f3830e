import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { SETTLE_MS } from '../../../daemon/pods/held-end.io.ts';
import { eventually } from '../namespaces.ts';
import { PolicyHost, type TestPod } from './policy-host.ts';

describe('a pod behind the gate whose interface is set down and up inside', function () {
  this.timeout(180_000);
  let host: PolicyHost;
  let plain: TestPod;
  let free: TestPod;
  let policed: TestPod;

  before(async () => {
    host = await PolicyHost.create();
    await host.start();
    host.govern('policed');
    // weft-npc is away: weftd opens those that no policy may select, and only those.
    plain = await host.attach('');
    free = await host.attach('free/a');
    policed = await host.attach('policed/a');
    await delay(SETTLE_MS + 500);
  });
  after(async function () {
    if (this.currentTest?.isFailed()) console.log(host.daemon.log);
    await host?.destroy();
  });

  it('has its routes again, and is as open or closed as before', async () => {
    const before = await host.decided();
    assert.deepEqual(before, new Set([plain.link, free.link]));
    for (const { namespace } of [free, policed]) {
      const routes = await namespace.run('ip', 'route');
      assert.match(routes, /^default via 169\.254\.1\.1/);
      const count = (await host.counters())['pods.mended'] ?? 0;
      await namespace.run('sh', '-c', 'ip link set eth0 down; ip link set eth0 up');
      await eventually('the repair', async () => ((await host.counters())['pods.mended'] ?? 0) > count);
      await eventually('its routes', async () => (await namespace.run('ip', 'route')) === routes);
    }
    assert.deepEqual(await host.decided(), before);
    await eventually('one pod to reach the other', () => host.reachesPod(plain.namespace, free));
    assert.equal(await host.reachesPod(plain.namespace, policed), false);
    assert.equal(await host.reachesPod(policed.namespace, plain), false);
    assert.match(host.daemon.log, /put right.*pod="pod policed\/a \(/);
  });
});
