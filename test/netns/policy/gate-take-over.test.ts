import assert from 'node:assert/strict';
import { eventually } from '../namespaces.ts';
import { PolicyHost, type TestPod } from './policy-host.ts';

const TAKE_OVER = ['--policy', '--take-over'];

describe('a weftd with a gate that takes over from another while pods start', function () {
  this.timeout(120_000);
  let host: PolicyHost;

  before(async () => {
    host = await PolicyHost.create();
    host.govern('policed');
    await host.start(TAKE_OVER);
  });
  after(() => host?.destroy());

  /** Attaches pods, of which every second one may be selected by policies, for as long as `act` runs. */
  async function attachDuring(act: () => Promise<void>): Promise<TestPod[]> {
    let over = false;
    const pods: TestPod[] = [];
    const attaching = (async () => {
      while (!over) pods.push(await host.attach(`${pods.length % 2 ? 'policed' : 'free'}/p${pods.length}`));
    })();
    await act();
    over = true;
    await attaching;
    assert.ok(pods.length > 1);
    return pods;
  }

  it('fails no ADD, and in the end weft-npc has spoken for all of them', async () => {
    await host.npc('decide');
    const pods = await attachDuring(() => host.start(TAKE_OVER));
    await eventually('all to be decided', async () => {
      const decided = await host.decided();
      return pods.every(({ link }) => decided?.has(link)) && (await host.status()).policy?.waiting === 0;
    });
    assert.ok(
      pods.every(({ link }) => host.files()[link]?.pod !== null),
      'whose they are is known',
    );
    await host.stopNpc();
  });

  it('opens, without weft-npc, only pods that no policy may select', async () => {
    const before = (await host.decided())!;
    const pods = await attachDuring(() => host.start(TAKE_OVER));
    const free = pods.filter((_, i) => i % 2 === 0).map(({ link }) => link);
    assert.deepEqual(await host.decided(), new Set([...before, ...free]));
  });

  it('removes the gate where it runs without --policy', async () => {
    await attachDuring(() => host.start(['--take-over']));
    assert.equal(await host.decided(), undefined);
  });
});
