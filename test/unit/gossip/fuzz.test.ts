import { randomBelow } from '../../../base/random.ts';
import { gossipTargets } from '../../fuzz/gossip-targets.ts';
import { seededRandom } from '../../seeded-random.ts';

/** Some thousands of inputs a target; `npm run fuzz` has the millions. */
const ROUNDS = 4000;

describe('gossip decoders bear any bytes', () => {
  for (const target of gossipTargets) {
    it(target.name, function () {
      this.timeout(20_000);
      const random = seededRandom(20_240);
      for (let i = 0; i < ROUNDS; i++) {
        const seed = target.seeds[i % target.seeds.length]!;
        const bytes = i % 5 === 0 ? random.bytes(randomBelow(random, 200)) : seed.slice();
        for (let flips = randomBelow(random, 4); flips > 0 && bytes.length > 0; flips--) {
          bytes[randomBelow(random, bytes.length)] = randomBelow(random, 256);
        }
        target.run(i % 7 === 0 ? bytes.subarray(0, randomBelow(random, bytes.length + 1)) : bytes);
      }
    });
  }
});
