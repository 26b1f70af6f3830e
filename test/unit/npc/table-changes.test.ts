import { deepEqual, equal } from 'node:assert/strict';
import type { RulesetChange, TouchedTable } from '../../../linux/nftables-event.ts';
import { MARKER, TableChanges } from '../../../npc/table-changes.ts';

const TABLE: TouchedTable = {
  family: 'inet',
  name: 'weft-npc',
  deleted: false,
  set: false,
  objects: new Set(['chain', 'rule']),
  names: new Set(),
};
const change = (table: Partial<TouchedTable>, whole = true): RulesetChange => ({
  ...{ generation: 1, program: 'nft', pid: 1, port: 1, whole },
  tables: [{ ...TABLE, ...table }],
});
const MARKED = { names: new Set([MARKER]) };
const OWN_PORT = 4711;
/** What `nft delete table` and `flush ruleset` do: each chain goes, and the table. */
const GONE = { ...MARKED, deleted: true };

describe('TableChanges', () => {
  let changes: TableChanges;
  beforeEach(() => {
    changes = new TableChanges(OWN_PORT);
  });

  it('knows one event of each transaction of ours by its mark', () => {
    changes.begun();
    changes.begun();
    const authors = [MARKED, { ...GONE, set: true }, MARKED].map((each) => changes.authorOf(change(each)));
    deepEqual(authors, ['ours', 'ours', 'another']);
  });

  it('takes nothing for ours that a failed transaction would have told of', () => {
    changes.begun();
    changes.failed();
    equal(changes.authorOf(change(MARKED)), 'another');
  });

  it('never takes a table that is gone for ours, whatever is awaited', () => {
    changes.begun();
    equal(changes.authorOf(change(GONE)), 'another');
    equal(changes.authorOf(change(MARKED)), 'ours');
  });

  it('awaits nothing any more after events were lost', () => {
    changes.begun();
    changes.lost();
    equal(changes.authorOf(change(MARKED)), 'another');
    changes.failed();
    changes.begun();
    equal(changes.authorOf(change(MARKED)), 'ours');
  });

  it('knows what came by our own socket, and awaits nothing for it', () => {
    const elements = { objects: new Set(['element'] as const), names: new Set(['decided']) };
    equal(changes.authorOf({ ...change(elements), port: OWN_PORT }), 'ours');
    equal(changes.authorOf({ ...change(elements, false), port: OWN_PORT }), 'another');
    changes.begun();
    equal(changes.authorOf({ ...change(elements), port: OWN_PORT }), 'ours');
    equal(changes.authorOf(change(MARKED)), 'ours');
  });

  it('tells apart who changes the set of those decided alone, other tables, and what is not wholly known', () => {
    const decided = { objects: new Set(['element'] as const), names: new Set(['decided']) };
    equal(changes.authorOf(change(decided)), 'decided');
    equal(changes.authorOf(change({ ...decided, set: true })), 'another');
    equal(changes.authorOf(change({ name: 'weft' })), 'nobody');
    equal(changes.authorOf(change({ name: 'weft' }, false)), 'another');
    changes.begun();
    equal(changes.authorOf(change(MARKED, false)), 'another');
  });
});
