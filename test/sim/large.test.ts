import assert from 'node:assert/strict';
import { disagreements, Simulation } from './simulation.ts';

const NODES = 100;
/** From the first start until all see each other alive and have one ring. */
const FORM_LIMIT_MS = 10_000;
/** Until what came of forming has died away. */
const SETTLE_MS = 15_000;
const IDLE_MS = 30_000;
const IDLE_LIMIT_BYTES = 5_000;
const KNOWN_LIMIT_MS = 2_000;
const PARTED_NODES = 32;
/** Suspicions of half a cluster: the longest timeout and a round of probes. */
const PARTED_LIMIT_MS = 60_000;
const HEAL_LIMIT_MS = 5_000;

describe(`a cluster of ${NODES} nodes`, function () {
  this.timeout(300_000);

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
  });
});

describe(`a cluster of ${PARTED_NODES} nodes in two halves`, function () {
  this.timeout(300_000);

  it('that take each other for dead is one again within 5 s of healing', () => {
    const sim = new Simulation(101);
    const nodes = sim.form(PARTED_NODES);
    const agreed = (): boolean => disagreements(nodes).length === 0;
    assert.notEqual(sim.runUntil(agreed, FORM_LIMIT_MS, 250), undefined);
    sim.run(5_000);
    const half = nodes.slice(0, PARTED_NODES / 2);
    sim.partition(new Set(half.map(({ host }) => host)));
    const far = new Set(nodes.slice(PARTED_NODES / 2).map(({ peer }) => peer));
    const buried = (): boolean =>
      half.every(({ core }) =>
        core!.gossip.members().every(({ peer, state }) => (state === 'dead') === far.has(peer)),
      );
    assert.notEqual(sim.runUntil(buried, PARTED_LIMIT_MS, 500), undefined, 'the far half is taken for dead');
    sim.heal();
    assert.notEqual(sim.runUntil(agreed, HEAL_LIMIT_MS, 50), undefined, disagreements(nodes)[0]);
  });
});
