// changing-table.ts SEED STEPS DROPS: makes a random cluster, and loads what policies ask for after each of its changes. Prints
// as JSON how often something was loaded, and how often another program was taken for the author.
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../../../seeded-random.ts';
import { RandomWorld } from '../../../unit/npc/random-world.ts';
import { watchedWriter } from './watched-writer.ts';

const [seed, steps, drops] = process.argv.slice(2).map((each) => JSON.parse(each));
const world = new RandomWorld(seededRandom(seed), drops);
const { writer, stirs } = watchedWriter();
let loads = 0;
for (let i = 0; i < steps; i++) {
  world.step();
  const rules = world.compiler.ruleSet();
  if (writer.loaded !== rules) loads++;
  await writer.load(rules);
}
// What nothing leads to any more goes as well.
await writer.load(world.compiler.ruleSet(), { sweep: true });
await delay(500);
console.log(JSON.stringify({ stirs: stirs(), loads }));
writer.close();
