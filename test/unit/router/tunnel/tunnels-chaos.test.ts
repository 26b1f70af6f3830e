import { strict as assert } from 'node:assert';
import { randomBelow } from '../../../../base/random.ts';
import { seededRandom } from '../../../seeded-random.ts';
import { at, mesh, type Node } from './tunnel-net.ts';

/**
 * Four nodes in trouble of every kind, then peace: all tunnels must come back, nothing may be left over. The cores
 * assert their invariants all the while (no timer that is due after a tick, indices bounded, …).
 */
describe('tunnels: after any trouble', () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`heal within 95 s (seed ${seed})`, () => {
      const { net, nodes } = mesh(4, seed);
      const random = seededRandom(seed);
      const pick = (): Node => nodes[randomBelow(random, nodes.length)]!;
      const others = (of: Node): Node[] => nodes.filter((node) => node !== of);
      const restart = (node: Node): void => {
        node.start(Math.max(1, node.epoch + (randomBelow(random, 4) === 0 ? -1 : 1))); // sometimes from an old snapshot
        node.learn(...others(node));
        connect(node);
        for (const other of others(node)) if (randomBelow(random, 2) === 0) other.learn(node);
      };
      const connect = (node: Node): void => {
        for (const other of others(node)) {
          node.tunnels.want(other.peer, net.now);
          const relays = others(node).filter((relay) => relay !== other);
          node.tunnels.setRelays(
            other.peer,
            relays.map(({ peer }) => peer),
            net.now,
          );
        }
      };
      const cuts = new Set<string>();
      net.tamper = (flight) => (cuts.has(`${flight.from}>${flight.to}`) ? [] : [flight]);
      for (const node of nodes) connect(node);
      for (let step = 0; step < 120; step++) {
        const [one, two] = [pick(), pick()];
        switch (randomBelow(random, 9)) {
          case 0:
            restart(one);
            break;
          case 1:
          case 2:
            cuts.add(`${one.endpoints[0]}>${two.endpoints[0]}`);
            break;
          case 3:
            cuts.clear();
            break;
          case 4:
            one.endpoints = [at(`198.51.100.${one.number}:${1 + randomBelow(random, 60_000)}`)];
            break;
          case 5:
            for (const other of others(one)) if (randomBelow(random, 2) === 0) other.learn(one);
            break;
          case 6:
            one.tunnels.suspectPath(two.peer, net.now);
            break;
          case 7:
            Object.assign(net.fault, {
              loss: randomBelow(random, 60) / 100,
              duplicate: randomBelow(random, 50) / 100,
              jitterMs: randomBelow(random, 300),
            });
            break;
          default:
            one.tunnels.removePeer(two.peer, net.now);
            if (one !== two) one.learn(two);
            connect(one);
        }
        if (one !== two) one.say(two, `${step}`);
        net.run(randomBelow(random, 4000));
      }
      cuts.clear();
      Object.assign(net.fault, { loss: 0, duplicate: 0, jitterMs: 1 });
      for (const node of nodes) node.learn(...others(node));
      net.run(95_000);
      for (const node of nodes) {
        for (const other of others(node)) {
          assert.equal(node.state(other), 'established', `${node.number} → ${other.number}`);
          assert.equal(node.path(other), other.endpoints[0], `${node.number} → ${other.number}`);
          other.delivered.length = 0;
          node.say(other, 'peace');
          net.run(20);
          assert.deepEqual(other.delivered, ['peace']);
        }
        assert.ok(node.tunnels.indexCount <= 4 * 3, `${node.tunnels.indexCount} indices`);
      }
    });
  }
});
