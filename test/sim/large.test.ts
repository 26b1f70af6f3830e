import assert from 'node:assert/strict';
import { disagreements, Simulation } from './simulation.ts';

const NODES = 100;
/** From the first start until all see each other alive and have one ring. */
const FORM_LIMIT_MS = 10_000;
/** Until what came of forming has died away. */
const SETTLE_MS = 20_000;
const IDLE_MS = 30_000;
const IDLE_LIMIT_BYTES = 5_000;
const KNOWN_LIMIT_MS = 2_000;
const HEAL_LIMIT_MS = 15_000;

describe(`a cluster of ${NODES} nodes`, function () {
  this.timeout(180_000);

  it('forms, is quiet when idle, and has everybody know of a change within 2 s', () => {
    const sim = new Simulation(100);
    const { count } = sim.invariants;
    const nodes = sim.form(NODES);
    const formedMs = sim.runUntil(() => disagreements(nodes).length === 0, FORM_LIMIT_MS, 250);
    assert.notEqual(formedMs, undefined, disagreements(nodes)[0]);

    sim.run(SETTLE_MS);
    const before = count.wireBytes;
    const turnsBefore = nodes.reduce((sum, { timerTurns }) => sum + timerTurns, 0);
    sim.run(IDLE_MS);
    const bytes = ((count.wireBytes - before) / IDLE_MS / NODES) * 1000;
    assert.ok(bytes <= IDLE_LIMIT_BYTES, `${Math.round(bytes)} bytes a second from each idle node`);
    assert.ok(bytes > 100, 'they do speak');
    const turns = nodes.reduce((sum, { timerTurns }) => sum + timerTurns, 0) - turnsBefore;
    assert.ok(turns / (IDLE_MS / 1000) / NODES < 60, 'an idle node wakes less than 60 times a second');

    const origin = nodes[41]!;
    const payload = Uint8Array.of(4, 2);
    origin.do((core, now) => core.gossip.publish('paxos', payload, now));
    const knownMs = sim.runUntil(
      () => nodes.every(({ core }) => core!.gossip.record(origin.peer, 'paxos') !== undefined),
      KNOWN_LIMIT_MS,
      10,
    );
    assert.notEqual(knownMs, undefined, 'everybody knows of the change');

    // Two halves part for so long that each takes the other for dead, and meet again.
    const half = new Set(nodes.slice(0, NODES / 2).map(({ host }) => host));
    sim.partition(half);
    const far = nodes[NODES - 1]!.peer;
    const partedMs = sim.runUntil(
      () => nodes[0]!.core!.gossip.members().some(({ peer, state }) => peer === far && state === 'dead'),
      90_000,
      500,
    );
    assert.notEqual(partedMs, undefined, 'the far half is taken for dead');
    sim.heal();
    const healedMs = sim.runUntil(() => disagreements(nodes).length === 0, HEAL_LIMIT_MS, 250);
    assert.notEqual(healedMs, undefined, `${disagreements(nodes).length}: ${disagreements(nodes)[0]}`);
  });
});
