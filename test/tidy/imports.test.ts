import { deepEqual } from 'node:assert/strict';
import { ALLOWED, importsByRoom, roomOf, SHELLS_WITH_ADDON } from './rooms.ts';
import { isCore, isProduct, readSource, readSources, type SourceFile } from './source.ts';

/** The only folders of the product that may import a package. */
const PACKAGE_FOLDERS: Readonly<Record<string, readonly string[]>> = {
  'libsodium-wrappers': ['crypto'],
  'msgpackr/pack': ['gossip'],
  commander: ['cli'],
  'js-yaml': ['kube'],
  'prom-client': ['host'],
};
const TEST_PACKAGES = ['fast-check', 'mocha'];

/** What a browser runs is JavaScript as it stands; only tests of it import it. */
function isOfPage(target: string): boolean {
  return target.startsWith('ui/page/') && target.endsWith('.js');
}

/** Breaches of direction, one line each. */
function wrongDirections(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const room = roomOf(file.path);
    const allowed = ALLOWED[room];
    if (!isProduct(file.path)) return [];
    if (!allowed) return [`${file.path}: the folder has no rule`];
    return file.imports.flatMap(({ target, specifier }) => {
      if (target === undefined) return [];
      const other = roomOf(target);
      const fine =
        other === room ||
        other.startsWith(`${room}/`) ||
        allowed.some((name) => other === name || other.startsWith(`${name}/`)) ||
        (other === 'native' && file.path.endsWith('.io.ts') && SHELLS_WITH_ADDON.includes(room));
      return fine ? [] : [`${file.path} imports ${specifier}`];
    });
  });
}

/** Which files each file imports. The product is split so that not even types go in circles; tests may. */
function importsByFile(files: readonly SourceFile[]): Map<string, Set<string>> {
  return new Map(
    files.map(({ path, imports }) => [
      path,
      new Set(
        imports.flatMap(({ target, typeOnly }) =>
          target === undefined || (typeOnly && !isProduct(path)) ? [] : [target],
        ),
      ),
    ]),
  );
}

/** The first circle through each node of a graph that lies on one: `a.ts → b.ts → a.ts`. */
function circles(nextByNode: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (node: string, trail: readonly string[]): void => {
    if (trail.includes(node)) found.push([...trail.slice(trail.indexOf(node)), node].join(' → '));
    if (done.has(node) || trail.includes(node)) return;
    for (const next of nextByNode.get(node) ?? []) visit(next, [...trail, node]);
    done.add(node);
  };
  for (const node of nextByNode.keys()) visit(node, []);
  return found;
}

describe('imports', () => {
  const files = readSources();

  it('go from the outer folders to the inner ones', () => deepEqual(wrongDirections(files), []));

  it('go in no circle, and in the product none of types either', () =>
    deepEqual(circles(importsByFile(files)), []));

  it('go in no circle among rooms, whatever the rules allow', () =>
    deepEqual(circles(importsByRoom(files)), []));

  it('have a rule for no room that is not there', () => {
    const rooms = new Set(files.map(({ path }) => roomOf(path)));
    deepEqual(
      Object.keys(ALLOWED).filter((room) => !rooms.has(room)),
      [],
    );
  });

  it('name a file with its ending', () => {
    const wrong = files.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => target !== undefined && !target.endsWith('.ts') && !isOfPage(target))
        .map((each) => [path, each.specifier]),
    );
    deepEqual(wrong, []);
  });

  it('take no node module into a core', () => {
    const wrong = files
      .filter(({ path }) => isCore(path))
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ specifier }) => specifier.startsWith('node:'))
          .map((each) => `${path} imports ${each.specifier}`),
      );
    deepEqual(wrong, []);
  });

  it('take no shell into a core, but for its types', () => {
    const wrong = files
      .filter(({ path }) => isCore(path))
      .flatMap(({ path, imports }) =>
        imports
          .filter(({ target, typeOnly }) => target?.endsWith('.io.ts') === true && !typeOnly)
          .map((each) => `${path} imports ${each.specifier}`),
      );
    deepEqual(wrong, []);
  });

  it('take a package only where it is allowed', () => {
    const wrong = files
      .filter(({ folder }) => folder !== 'test' && folder !== 'bench')
      .flatMap(({ path, folder, imports }) =>
        imports
          .filter(({ specifier, target }) => target === undefined && !specifier.startsWith('node:'))
          .filter(({ specifier }) => !PACKAGE_FOLDERS[specifier]?.includes(folder))
          .map((each) => `${path} imports ${each.specifier}`),
      );
    deepEqual(wrong, []);
  });

  it('take a package of the tests only in tests', () => {
    const wrong = files
      .filter(({ folder }) => folder !== 'test')
      .filter(({ imports }) => imports.some(({ specifier }) => TEST_PACKAGES.includes(specifier)));
    deepEqual(
      wrong.map(({ path }) => path),
      [],
    );
  });
});

describe('the reader of imports', () => {
  it('sees a wrong direction and a circle when there is one', () => {
    const files = [
      readSource('base/a.ts', "import { b } from '../crypto/b.ts';\nexport const a = b;\n"),
      readSource('crypto/b.ts', "import type { A } from './c.ts';\nimport {\n  c,\n} from './c.ts';\n"),
      readSource('crypto/c.ts', "// import { x } from '../router/x.ts'\nexport { b } from './b.ts';\n"),
      readSource('router/packet/d.ts', "import { e } from '../tunnel/e.ts';\n"),
      readSource('router/tunnel/e.ts', "import { f } from '../packet/f.ts';\n"),
    ];
    deepEqual(wrongDirections(files), [
      'base/a.ts imports ../crypto/b.ts',
      'router/packet/d.ts imports ../tunnel/e.ts',
    ]);
    deepEqual(circles(importsByFile(files)).slice(0, 1), ['crypto/b.ts → crypto/c.ts → crypto/b.ts']);
    deepEqual(
      files[1]!.imports.map((each) => each.typeOnly),
      [true, false],
    );
  });

  it('sees a folder without a rule', () => {
    deepEqual(wrongDirections([readSource('attic/a.ts', ''), readSource('test/a.ts', '')]), [
      'attic/a.ts: the folder has no rule',
    ]);
  });

  it('sees a circle among rooms where there is none among files', () => {
    const files = [
      readSource('daemon/a.ts', "import { b } from './settings/b.ts';\n"),
      readSource('daemon/settings/b.ts', 'export const b = 1;\n'),
      readSource('daemon/settings/c.ts', "import type { D } from '../d.ts';\n"),
      readSource('daemon/d.ts', 'export type D = 1;\n'),
    ];
    deepEqual(circles(importsByFile(files)), []);
    deepEqual(circles(importsByRoom(files)), ['daemon → daemon/settings → daemon']);
  });
});
