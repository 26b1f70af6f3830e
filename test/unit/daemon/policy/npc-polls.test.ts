import { deepEqual, equal, notEqual, rejects } from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { Counters } from '../../../../base/counters.ts';
import { instant } from '../../../../base/instant.ts';
import type { PolicyWaitResult } from '../../../../control/policy-request.ts';
import { ADMISSION_COUNTERS } from '../../../../daemon/policy/admission-counters.ts';
import type { GateDelta } from '../../../../daemon/policy/gate-book.ts';
import { NpcPolls } from '../../../../daemon/policy/npc-polls.io.ts';
import { NpcPresence } from '../../../../daemon/policy/npc-presence.ts';

const NOW = instant(0);

function world() {
  const presence = new NpcPresence(NOW);
  const known = Promise.withResolvers<void>();
  const state = {
    revision: 'r0',
    peers: [] as NonNullable<PolicyWaitResult['peers']>,
    presenceChanges: 0,
    deltas: {} as Record<string, GateDelta>,
  };
  const polls = new NpcPolls({
    presence,
    attached: {
      known: known.promise,
      get revision() {
        return state.revision;
      },
      attachments: () => [],
      changedSince: (revision) => state.deltas[revision],
    },
    peers: () => state.peers,
    podRanges: ['10.32.0.0/12'],
    onPresence: () => state.presenceChanges++,
    counters: new Counters(ADMISSION_COUNTERS),
    now: () => NOW,
  });
  const hangUps: (() => void)[] = [];
  const wait = (revision: string, complete = true, differences = false): Promise<PolicyWaitResult> =>
    polls.wait({ op: 'policyWait', revision, complete, differences }, (act) => hangUps.push(act));
  return { presence, known, state, polls, wait, hangUps };
}

/** What a promise has come to once all that is due was done. */
async function outcome(promise: Promise<PolicyWaitResult>): Promise<string> {
  const settled = promise.then(({ revision }) => revision);
  return Promise.race([settled, turn().then(() => 'waits')]);
}

describe('requests of weft-npc', () => {
  it('are not answered before it is known who hangs here', async () => {
    const { wait, known } = world();
    const first = wait('');
    equal(await outcome(first), 'waits');
    known.resolve();
    notEqual(await outcome(first), 'waits');
    deepEqual((await first).podRanges, ['10.32.0.0/12']);
  });

  it('are answered at once where something is new, else when something changes', async () => {
    const { wait, known, state, polls } = world();
    known.resolve();
    const { revision } = await wait('');
    const [second, third] = [wait(revision), wait(revision)];
    equal(await outcome(second), 'waits');
    state.revision = 'r1';
    polls.changed();
    deepEqual(
      [await outcome(second), await outcome(third)],
      [(await second).revision, (await second).revision],
    );
    notEqual((await second).revision, revision);
  });

  it('are answered with what differs, where that is asked for and known, and with the network where it is another', async () => {
    const { wait, known, state, polls } = world();
    known.resolve();
    const { revision } = await wait('', true, true);
    equal((await wait('', true, true)).since, undefined);
    state.revision = 'r1';
    equal((await wait(revision, true, true)).since, undefined, 'what changed since r0 is forgotten');
    state.deltas.r0 = { put: [], gone: ['wv00000000001'] };
    const { gone, since, attachments, ...second } = await wait(revision, true, true);
    deepEqual([gone, since, attachments], [['wv00000000001'], revision, []]);
    deepEqual(second, { revision: 'r1-1' });
    equal((await wait(revision)).since, undefined, 'who does not ask for it is told all');
    state.peers = [{ name: 'b', addresses: ['10.32.0.9'] }];
    polls.peersStirred();
    const third = await wait(revision, true, true);
    deepEqual([third.peers, third.podRanges], [state.peers, ['10.32.0.0/12']]);
  });

  it('are answered where another node came, and not where the news are none', async () => {
    const { wait, known, state, polls } = world();
    known.resolve();
    const { revision } = await wait('');
    const second = wait(revision);
    await turn();
    polls.peersStirred();
    equal(await outcome(second), 'waits');
    state.peers = [{ name: 'b', addresses: ['10.32.0.9'] }];
    polls.peersStirred();
    deepEqual((await second).peers, state.peers);
  });

  it('say who comes and who goes', async () => {
    const { wait, known, state, presence, hangUps } = world();
    known.resolve();
    const { revision } = await wait('');
    const second = wait(revision);
    await turn();
    const before = state.presenceChanges;
    hangUps[1]!();
    deepEqual([presence.isConnected(NOW), state.presenceChanges], [false, before + 1]);
    notEqual(await outcome(second), 'waits', 'nothing is kept for it');
    equal(presence.isConnected(NOW), false);
  });

  it('are no more than a few at once', async () => {
    const { wait } = world();
    for (let i = 0; i < 16; i++) void wait('');
    await rejects(wait(''), { code: 'E_BUSY' });
  });

  it('are all answered at the end, and none is taken after', async () => {
    const { wait, known, polls } = world();
    known.resolve();
    const { revision } = await wait('');
    const last = wait(revision);
    await turn();
    polls.close();
    equal(await outcome(last), revision);
    await rejects(wait(''), { code: 'E_BUSY' });
  });
});
