// large-table.ts ELEMENTS: loads a table with a set of that many elements, three times all of it, and once with one element
// more. Prints as JSON how often it was told that another program changed the table, and what is known to be loaded.
import { setTimeout as delay } from 'node:timers/promises';
import { ElementSet } from '../../../../linux/element-set.ts';
import type { PolicyRuleSet } from '../../../../linux/policy-table.ts';
import { watchedWriter } from './watched-writer.ts';

const addresses = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
const rules = (count: number, packetsPerSecond: number): PolicyRuleSet => ({
  decided: new Set(),
  chainsByLink: new Map(),
  addressesByLink: new Map(),
  chains: new Map(),
  sets: new Map([
    ['many', { type: 'ipv4_addr', interval: false, elements: ElementSet.of(addresses(count)) }],
  ]),
  drops: { reject: false, log: { group: 86, packetsPerSecond } },
});

const count = Number(process.argv[2]);
const { writer, stirs } = watchedWriter();
// Other settings of the log mean another table.
for (const rate of [10, 11, 12]) await writer.load(rules(count, rate));
await writer.load(rules(count + 1, 12));
await delay(500);
console.log(
  JSON.stringify({ stirs: stirs(), loaded: writer.loaded?.sets.get('many')?.elements.size ?? null }),
);
writer.close();
