import { deepEqual } from 'node:assert/strict';
import { isProduct, readSource, readSources, type SourceFile } from './source.ts';

/** What a process starts with: a file that is run and not imported. */
const PROGRAMS = [
  'cli/weft.ts',
  'connectivity/agent.ts',
  'daemon/kube-init.ts',
  'daemon/startup-probe.ts',
  'daemon/weftd.ts',
  'npc/startup-probe.ts',
  'npc/weft-npc.ts',
];

/** Exports of the product that no other file of it and no tool imports, and why each stays all the same: `path name`. */
const KEPT: Readonly<Record<string, string>> = {
  'ui/picture/picture-change.ts RowChange': 'the page takes it from there',
  'ui/picture/picture-change.ts SeriesPoint': 'the same',
};

/** Methods that no file of the product calls, and why each stays all the same: `path name`. */
const KEPT_METHODS: Readonly<Record<string, string>> = {
  'gossip/overlay/dialler.ts rememberedCount': 'tests see by it that what is remembered is bounded',
  'gossip/overlay/link-outbox.ts rumourCount': 'the same',
  'gossip/records/record-store.ts payloadBytes': 'the same',
  'gossip/swim/swim.ts healthMultiplier': 'the same, of what Lifeguard calls the local health multiplier',
  'ipam/sqlite-store.io.ts limitPages': 'stands in for a full disk',
  'router/tunnel/tunnels.ts indexCount': 'tests see by it that no session is left over',
};

/** Files of one class or one function that are named after something else, and why. */
const NAMED_OTHERWISE: Readonly<Record<string, string>> = {
  'control/control-client.io.ts': 'beside control-server.io.ts and control-protocol.ts',
  'crypto/noise.ts': "after the protocol; the class has the specification's name, HandshakeState",
  'crypto/noise-patterns.ts': 'beside noise.ts',
  'daemon/kubernetes/kubernetes-node.io.ts': 'after what it joins: the API of Kubernetes and the node',
  'linux/nftables-event.ts': 'beside rtnetlink/route-event.ts',
  'native/netlink.ts': 'after netlink.cc, which it makes usable',
};

/**
 * Exports of the product that nobody needs, `path name`: those that no other file imports at all, and those that only
 * tests import and their own file does not use, which is code of tests in a folder of the product. What a file uses
 * itself and a test looks at may be exported for it.
 */
function unneededExports(files: readonly SourceFile[]): string[] {
  const importers = new Map<string, SourceFile[]>();
  for (const file of files) {
    for (const { target, names } of file.imports) {
      for (const name of names)
        importers.set(`${target} ${name}`, [...(importers.get(`${target} ${name}`) ?? []), file]);
    }
  }
  return files
    .filter(({ path }) => isProduct(path))
    .flatMap(({ path, code, exports }) =>
      exports
        .map(({ name }) => ({ name, key: `${path} ${name}` }))
        .filter(({ name, key }) => {
          const by = [...(importers.get(key) ?? []), ...(importers.get(`${path} *`) ?? [])];
          if (by.some((other) => !/^(test|bench)\//.test(other.path))) return false;
          return by.length === 0 || code.match(new RegExp(`\\b${name}\\b`, 'g'))!.length === 1;
        })
        .map(({ key }) => key),
    );
}

/**
 * Methods and accessors of classes of the product whose name stands nowhere else in it, `path name`. A name that two
 * classes have is not found, so this finds too little and never too much.
 */
function uncalledMethods(files: readonly SourceFile[]): string[] {
  const product = files.filter(({ path }) => isProduct(path));
  const countByWord = new Map<string, number>();
  for (const { code } of product) {
    for (const [word] of code.matchAll(/\w+/g)) countByWord.set(word, (countByWord.get(word) ?? 0) + 1);
  }
  return product.flatMap(({ path, code }) =>
    [...code.matchAll(/^ {2}(?:static |async |get |set |override )*([a-z]\w*)(?:<[^>]*>)?\([^{}]*\{$/gm)]
      .map(([, name]) => name!)
      .filter((name) => countByWord.get(name) === 1 && name !== 'constructor')
      .map((name) => `${path} ${name}`),
  );
}

/** Files of the product that none of the programs imports, directly or not. */
function unreachable(files: readonly SourceFile[], programs: readonly string[]): string[] {
  const fileByPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const waiting = [...programs];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    for (const { target } of fileByPath.get(path)?.imports ?? [])
      if (target !== undefined) waiting.push(target);
  }
  return files.map(({ path }) => path).filter((path) => isProduct(path) && !reached.has(path));
}

/**
 * Files of the product that export one class or one function and are not named after it, nor after a type beside it:
 * each word of the file's name must stand in one such name, in whatever form (`segmentation`, `Segmenter`).
 */
function misnamed(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => isProduct(path))
    .flatMap(({ path, exports }) => {
      const values = exports.filter(
        ({ kind }) => kind === 'class' || kind === 'function' || kind === 'value',
      );
      if (values.length !== 1) return [];
      const fileWords = path
        .slice(path.lastIndexOf('/') + 1)
        .replace(/(\.io)?\.ts$/, '')
        .split('-');
      const named = exports
        .filter(({ kind }) => kind !== 'constant')
        .map(({ name }) => wordsOf(name))
        .some((words) => fileWords.every((word) => words.some((other) => isSameWord(word, other))));
      return named ? [] : [`${path} exports ${values[0]!.name}`];
    });
}

/** `openTunV6` is `open`, `tun`, `v6`. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(' ');
}

/** Equal but for their endings, of at most half of the shorter word. */
function isSameWord(a: string, b: string): boolean {
  const shorter = Math.min(a.length, b.length);
  let same = 0;
  while (same < shorter && a[same] === b[same]) same++;
  return same >= Math.max(3, Math.ceil(shorter / 2) + 1) || a === b;
}

describe('exports', () => {
  const files = readSources();

  it('of the product are imported by another file of it, or not exported', () => {
    deepEqual(
      unneededExports(files).filter((key) => KEPT[key] === undefined),
      [],
    );
  });

  it('are excused only where that is needed', () => {
    const found = [...unneededExports(files), ...uncalledMethods(files)];
    deepEqual(
      [...Object.keys(KEPT), ...Object.keys(KEPT_METHODS)].filter((key) => !found.includes(key)),
      [],
    );
  });

  it('of classes have no method that nobody calls', () => {
    deepEqual(
      uncalledMethods(files).filter((key) => KEPT_METHODS[key] === undefined),
      [],
    );
  });

  it('belong to files that a program imports', () => deepEqual(unreachable(files, PROGRAMS), []));

  it('name the file where there is one', () => {
    deepEqual(
      misnamed(files).filter((text) => NAMED_OTHERWISE[text.split(' ')[0]!] === undefined),
      [],
    );
  });
});

describe('the reader of exports', () => {
  it('sees an export that nobody imports, and one that only tests use', () => {
    const files = [
      readSource(
        'base/a.ts',
        'export interface Dead {}\nexport const OWN = 1;\nexport function used() { return OWN; }\nexport class Seen {}\nnew Seen();\nexport function planted() {}\n',
      ),
      readSource('base/b.ts', "import { used } from './a.ts';\nused();\n"),
      readSource('test/unit/a.test.ts', "import { planted, Seen } from '../../base/a.ts';\nplanted(Seen);\n"),
    ];
    deepEqual(unneededExports(files), ['base/a.ts Dead', 'base/a.ts OWN', 'base/a.ts planted']);
  });

  it('sees what is exported again, imported under another name or by a call', () => {
    const files = [
      readSource('base/a.ts', 'export const one = 1;\nexport const two = 2;\nexport const three = 3;\n'),
      readSource(
        'base/b.ts',
        "export { one } from './a.ts';\nimport { two as zwei } from './a.ts';\nzwei;\n",
      ),
      readSource('base/c.ts', "const run = async () => (await import('./a.ts')).three;\nrun();\n"),
    ];
    deepEqual(unneededExports(files), ['base/b.ts one']);
  });

  it('sees a method that nobody calls', () => {
    const files = [
      readSource(
        'base/a.ts',
        'export class A {\n  constructor() {\n  }\n  get size(): number {\n    return 1;\n  }\n  async lost(\n    a: number,\n  ): Promise<void> {\n  }\n}\n',
      ),
      readSource('base/b.ts', "import { A } from './a.ts';\nnew A().size;\n"),
      readSource('test/a.test.ts', "import { A } from '../base/a.ts';\nnew A().lost(1);\n"),
    ];
    deepEqual(uncalledMethods(files), ['base/a.ts lost']);
  });

  it('sees a file that no program imports', () => {
    const files = [
      readSource('daemon/main.ts', "import { b } from './b.ts';\nb;\n"),
      readSource('daemon/b.ts', 'export const b = 1;\n'),
      readSource('daemon/c.ts', "import { b } from './b.ts';\nb;\n"),
    ];
    deepEqual(unreachable(files, ['daemon/main.ts']), ['daemon/c.ts']);
  });

  it('sees a file that is named after something else', () => {
    const files = [
      readSource('base/segmentation.ts', 'export class Segmenter {}\nexport const MAX = 1;\n'),
      readSource('base/tun-self-test.ts', 'export function offloadTests() {}\n'),
      readSource('base/log.io.ts', 'export function stderrLog() {}\n'),
      readSource('base/bytes.ts', 'export function hex() {}\nexport function concat() {}\n'),
    ];
    deepEqual(misnamed(files), ['base/tun-self-test.ts exports offloadTests']);
  });
});
