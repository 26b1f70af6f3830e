import { deepEqual } from 'node:assert/strict';
import { isCore, isProduct, readSource, readSources, type SourceFile } from './source.ts';

/**
 * What each room may import of ours, beside itself and the folders within it. A room is a folder; a folder within a room
 * that has a rule of its own is a room of its own. A name on the right stands for the folder and all folders within it.
 * Tests, benchmarks and tools may import everything.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  base: [],
  crypto: ['base'],
  'gossip/model': ['base'],
  'gossip/records': ['base', 'gossip/model'],
  'gossip/swim': ['base', 'gossip/model'],
  'gossip/overlay': ['base', 'gossip/model', 'gossip/records', 'gossip/swim'],
  gossip: ['base'],
  linux: ['base'],
  native: ['base'],
  cni: ['base', 'linux'],
  ground: ['base', 'linux'],
  'ipam/model': ['base', 'gossip/model'],
  'ipam/ring': ['base', 'ipam/model'],
  'ipam/allocation': ['base', 'ipam/model', 'ipam/ring'],
  'ipam/agreement': ['base', 'gossip/model', 'ipam/model', 'ipam/ring'],
  ipam: ['base', 'gossip/model'],
  kube: ['base'],
  host: ['base', 'native'],
  control: ['base', 'host', 'native'],
  doctor: ['base', 'control', 'host', 'linux', 'native'],
  node: ['base', 'crypto', 'gossip', 'ipam', 'router'],
  'router/packet': ['base'],
  'router/datapath': ['base', 'crypto', 'router/packet'],
  'router/handshake': ['base', 'crypto', 'router/packet'],
  'router/tunnel': ['base', 'crypto', 'router/packet', 'router/datapath', 'router/handshake'],
  'router/link': ['base', 'crypto', 'gossip/model'],
  // The setting `--datapath` takes the names of the datapaths.
  'daemon/settings': ['base', 'host', 'router/datapath'],
  'daemon/state': ['base', 'crypto', 'gossip/model', 'host', 'ipam/model', 'native'],
  // What else is in daemon/ puts all rooms together into one program.
  daemon: [
    'base',
    'cni',
    'control',
    'crypto',
    'doctor',
    'gossip',
    'ground',
    'host',
    'ipam',
    'kube',
    'linux',
    'native',
    'node',
    'router',
  ],
  // `weft reset` is the daemon's work, done by the command itself where no daemon runs.
  cli: ['base', 'control', 'crypto', 'daemon', 'doctor', 'host'],
};
/** Rooms whose shells (`*.io.ts`) may use the addon. */
const SHELLS_WITH_ADDON = ['linux', 'cni', 'ground', 'router/datapath'];

/** The room in which a file lies: the longest name of {@link ALLOWED} that leads to it, else its first folder. */
function roomOf(path: string): string {
  const parts = path.split('/').slice(0, -1);
  for (let length = parts.length; length > 0; length--) {
    const room = parts.slice(0, length).join('/');
    if (ALLOWED[room] !== undefined) return room;
  }
  return parts[0] ?? '';
}

/** The only folders of the product that may import a package. */
const PACKAGE_FOLDERS: Readonly<Record<string, readonly string[]>> = {
  'libsodium-wrappers': ['crypto'],
  msgpackr: ['gossip'],
  commander: ['cli'],
};
const TEST_PACKAGES = ['fast-check', 'mocha'];

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

/** Which rooms each room of the product imports, as its files do. A folder without a rule is a room here, too. */
function importsByRoom(files: readonly SourceFile[]): Map<string, Set<string>> {
  const roomsByRoom = new Map<string, Set<string>>();
  for (const { path, imports } of files.filter((file) => isProduct(file.path))) {
    const rooms = roomsByRoom.get(roomOf(path)) ?? new Set();
    roomsByRoom.set(roomOf(path), rooms);
    for (const { target } of imports) if (target !== undefined) rooms.add(roomOf(target));
    rooms.delete(roomOf(path));
  }
  return roomsByRoom;
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
        .filter(({ target }) => target !== undefined && !target.endsWith('.ts'))
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
