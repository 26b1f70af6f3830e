import assert from 'node:assert/strict';
import { NODE_KEY } from '../../ipam/model/types.ts';
import { Simulation } from './simulation.ts';

/** What the liveness of a path needs to give it up, and gossip to say that a link is gone; see router/tunnel/liveness.ts. */
const RELAYED_WITHIN_MS = 25_000;

describe('two nodes whose direct way breaks', () => {
  for (const seed of [1, 2, 3]) {
    it(`reach each other over a third within ${RELAYED_WITHIN_MS / 1000} s (seed ${seed})`, () => {
      const sim = new Simulation(seed);
      const nodes = sim.form(4);
      const [a, b] = [nodes[0]!, nodes[1]!];
      const way = (): string | undefined => a.core!.tunnels.status(b.peer)?.path?.kind;
      const begun = (): boolean => nodes.every(({ core }) => core!.ownAddresses.length > 0);
      assert.notEqual(
        sim.runUntil(() => begun() && way() === 'direct', 20_000),
        undefined,
      );
      sim.run(5_000);
      sim.network.cut(a.host, b.host);
      sim.network.cut(b.host, a.host);
      const took = sim.runUntil(() => {
        sim.send(a, NODE_KEY.containerId, b, NODE_KEY.containerId);
        return a.core!.tunnels.status(b.peer)?.state === 'established' && way() === 'relay';
      }, 180_000);
      assert.ok(took !== undefined && took < RELAYED_WITHIN_MS, `${took} ms`);
    });
  }
});
