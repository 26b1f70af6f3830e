import { deepEqual, equal, throws } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GovernedStore } from '../../../npc/governed-store.io.ts';

const governed = (...names: string[]) => ({ all: false, namespaces: new Set(names) });

describe('GovernedStore', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-governed-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const onDisk = (): unknown => JSON.parse(readFileSync(join(folder, 'governed.json'), 'utf8'));

  it('names a namespace from before its rules are loaded until after the last are gone', () => {
    const store = new GovernedStore(folder);
    store.widen(governed());
    deepEqual(onDisk(), { version: 1, all: false, namespaces: [] });
    store.widen(governed('a'));
    deepEqual(onDisk(), { version: 1, all: false, namespaces: ['a'] });
    store.settle(governed('a'));
    // From a to b: both, for as long as rules of either may be loaded.
    store.widen(governed('b'));
    deepEqual(onDisk(), { version: 1, all: false, namespaces: ['a', 'b'] });
    store.settle(governed('b'));
    deepEqual(onDisk(), { version: 1, all: false, namespaces: ['b'] });
  });

  it('keeps "all" until it is settled that it is not', () => {
    const store = new GovernedStore(folder);
    store.widen({ all: true, namespaces: new Set() });
    store.widen(governed('a'));
    deepEqual(onDisk(), { version: 1, all: true, namespaces: [] });
    store.settle(governed('a'));
    deepEqual(onDisk(), { version: 1, all: false, namespaces: ['a'] });
  });

  it('names those that come later, where labels count, until it is settled that they do not', () => {
    const store = new GovernedStore(folder);
    const byLabels = (...known: string[]) => ({ ...governed('a'), known: new Set(known) });
    store.settle(governed('a'));
    store.widen(byLabels('a', 'b'));
    deepEqual(onDisk(), { version: 1, all: false, namespaces: ['a'], known: ['a', 'b'] });
    // One more is known, which is no more than was covered; then one less, which is.
    store.widen(byLabels('a', 'b', 'c'));
    deepEqual(onDisk(), { version: 1, all: false, namespaces: ['a'], known: ['a', 'b'] });
    store.settle(byLabels('a', 'b', 'c'));
    store.widen(byLabels('a', 'c'));
    deepEqual(onDisk(), { version: 1, all: false, namespaces: ['a'], known: ['a', 'c'] });
    store.widen(governed('a'));
    deepEqual((onDisk() as { readonly known: unknown }).known, ['a', 'c']);
    store.settle(governed('a'));
    deepEqual(onDisk(), { version: 1, all: false, namespaces: ['a'] });
  });

  it('goes on from what an earlier process left, and writes nothing where nothing changed', () => {
    new GovernedStore(folder).widen(governed('a', 'b'));
    writeFileSync(join(folder, 'mark'), '');
    const store = new GovernedStore(folder);
    rmSync(join(folder, 'governed.json'));
    store.widen(governed('a'));
    throws(onDisk, { code: 'ENOENT' });
    store.settle(governed('a'));
    deepEqual(onDisk(), { version: 1, all: false, namespaces: ['a'] });
  });

  it('takes garbage for nothing', () => {
    writeFileSync(join(folder, 'governed.json'), '{"version": 9}');
    new GovernedStore(folder).widen(governed());
    equal((onDisk() as { readonly version: number }).version, 1);
  });

  it('tells where nothing can be written', () => {
    const store = new GovernedStore(join(folder, 'nowhere'));
    throws(() => store.widen(governed('a')), { code: 'E_WRITE' });
  });
});
