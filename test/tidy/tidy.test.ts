import { deepEqual, equal } from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  isCore,
  projectFiles,
  ROOT,
  readSource,
  readSources,
  type SourceFile,
  withoutComments,
} from './source.ts';

/** Files that are longer than the limit, and why that is right. */
const LONG_FILES: Readonly<Record<string, string>> = {
  'test/netns/cni-suite.ts': 'one list of CNI cases, run against two daemons',
};
/** Where a file of the product has more than one concept; a table of test cases has none, and may be longer. */
const MAX_LINES = { product: 400, test: 700 } as const;

/** What a core must not do, as it looks in the code. */
const IMPURE: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['reads a clock', /\bDate\.now\b|\bnew Date\b|\bperformance\.now\b|\bprocess\.hrtime\b/],
  ['reads the random of the process', /\bMath\.random\b|\bcrypto\.(getRandomValues|randomUUID)\b/],
  ['sets a timer', /\bset(Timeout|Interval|Immediate)\s*\(|\bqueueMicrotask\s*\(/],
  ['waits', /\bawait\b|\basync\b/],
  ['logs', /\bconsole\./],
  ['knows the process', /\bprocess\.|\bglobalThis\b/],
  ["uses Node's Buffer", /\bBuffer\b/],
  ['uses any', /:\s*any\b|\bas any\b|<any>/],
];

/** Cores that must do one of these, and why. */
const EXEMPT: Readonly<Record<string, readonly string[]>> = {
  // libsodium is WebAssembly, which is compiled in the background; everything else waits for `cryptoReady`.
  'crypto/sodium.ts': ['waits'],
  // A CNI call is a chain of netlink requests, each of which the kernel answers in its time; the shell's promises
  // are the only thing waited for, and no timer or clock is behind them.
  'cni/attachments.ts': ['waits'],
  'cni/plugin.ts': ['waits'],
  'cni/recovery.ts': ['waits'],
  'cni/keyed-lock.ts': ['waits'],
};

/** Breaches of purity, one line each. */
function impurities(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => isCore(path))
    .flatMap(({ path, code }) =>
      IMPURE.filter(
        ([what, pattern]) => pattern.test(withoutStrings(code)) && !EXEMPT[path]?.includes(what),
      ).map(([what]) => `${path} ${what}`),
    );
}

/**
 * Exports without a docstring. A constant right beneath another one shares its docstring, as do overloads. A type
 * of one line and a plain number say all in their name, a type whose members are documented says it there.
 */
function undocumented(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) => {
      if (!/^export (abstract |async )?(function|class|interface|type|const|let)\b/.test(line)) return [];
      const above = lines[i - 1] ?? '';
      const shared = /^export const/.test(line) && /^export const|^[\]})].*;$/.test(above);
      const overload = /^export function/.test(line) && /^export function.*;$/.test(above);
      const byMember = /^export (interface|type)\b/.test(line) && /^\s+\/\*\*/.test(lines[i + 1] ?? '');
      const plain = /^export (type .*;|const [A-Z0-9_]+ = [\w. *]+;)$/.test(line);
      return above.endsWith('*/') || shared || overload || byMember || plain
        ? []
        : [`${path}:${i + 1}: ${line}`];
    }),
  );
}

function withoutStrings(code: string): string {
  return code.replace(/'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, "''");
}

describe('sources', () => {
  const files = readSources();
  const cores = files.filter(({ path }) => isCore(path));

  it('are found at all', () => equal(cores.length > 10, true));

  it('of cores read no clock, no random, no logger and never wait', () => deepEqual(impurities(files), []));

  it('of cores have a docstring on every export', () => deepEqual(undocumented(cores), []));

  const tooLong = files
    .filter(({ folder, lines }) => lines.length - 1 > MAX_LINES[folder === 'test' ? 'test' : 'product'])
    .map(({ path, lines }) => ({ path, text: `${path}: ${lines.length - 1} lines` }));

  it(`have at most ${MAX_LINES.product} lines, tests ${MAX_LINES.test}, or a reason`, () => {
    deepEqual(
      tooLong.filter(({ path }) => LONG_FILES[path] === undefined).map(({ text }) => text),
      [],
    );
  });

  it('list as long only what is long', () => {
    const long = tooLong.map(({ path }) => path);
    deepEqual(
      Object.keys(LONG_FILES).filter((path) => !long.includes(path)),
      [],
    );
  });

  it('are named in kebab-case', () => {
    deepEqual(
      files.filter(({ path }) => !/^[a-z0-9./-]+$/.test(path)).map(({ path }) => path),
      [],
    );
  });

  it('have no hook outside a describe, where it would run around the tests of all files', () => {
    const wrong = files.filter(
      ({ path, code }) => path.endsWith('.test.ts') && /^(before|after)(Each)?\(/m.test(code),
    );
    deepEqual(
      wrong.map(({ path }) => path),
      [],
    );
  });

  it('have no test that runs alone or is left out for good', () => {
    const wrong = files.filter(
      ({ path, code }) => path.endsWith('.test.ts') && /\b(it|describe)\.(only|skip)\(/.test(code),
    );
    deepEqual(
      wrong.map(({ path }) => path).filter((path) => !path.startsWith('test/tidy/')),
      [],
    );
  });
});

/** Files that lie in a folder itself and not in one within it, at most: what a reader takes in at a glance. */
const MAX_FILES = 25;

/** Folders with more than {@link MAX_FILES} files, one line each. */
function crowded(paths: readonly string[]): string[] {
  const countByFolder = new Map<string, number>();
  for (const path of paths) {
    const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.';
    countByFolder.set(folder, (countByFolder.get(folder) ?? 0) + 1);
  }
  return [...countByFolder]
    .filter(([, count]) => count > MAX_FILES)
    .map(([folder, count]) => `${folder}: ${count} files`);
}

describe('the folders of the project', () => {
  it(`have at most ${MAX_FILES} files each`, () => deepEqual(crowded(projectFiles()), []));

  it('are seen when they have more', () => {
    const files = Array.from({ length: MAX_FILES + 1 }, (_, i) => `base/${i}.ts`);
    deepEqual(crowded([...files, 'base/sub/a.ts']), [`base: ${MAX_FILES + 1} files`]);
    deepEqual(crowded(files.slice(1)), []);
  });
});

describe('the files of the project', () => {
  /** Where a machine's own paths and its package registry would show. This file alone may hold them. */
  const machine =
    /\/work\/(main|shared)|\/(home|Users)\/[a-z]|\/tmp\/weft\/|registry\.[a-z0-9-]+\.[a-z]|artifactory|verdaccio/i;
  const text = projectFiles().filter(
    (path) => !path.startsWith('test/vectors/data/') && path !== 'LICENSE' && !path.endsWith('.png'),
  );

  it('name no path of one machine and no registry', () => {
    const wrong = text.flatMap((path) =>
      readFileSync(join(ROOT, path), 'utf8')
        .split('\n')
        .flatMap((line, i) =>
          machine.test(line) && path !== 'test/tidy/tidy.test.ts' ? [`${path}:${i + 1}`] : [],
        ),
    );
    deepEqual(wrong, []);
  });

  it('end with a line end, and may be executed where they start with #!', () => {
    const wrong = text.filter((path) => {
      const content = readFileSync(join(ROOT, path), 'utf8');
      const executable = (statSync(join(ROOT, path)).mode & 0o111) !== 0;
      return (content !== '' && !content.endsWith('\n')) || content.startsWith('#!') !== executable;
    });
    deepEqual(wrong, []);
  });
});

describe('the reader of sources', () => {
  it('sees impurity in code and not in comments and strings', () => {
    const pure = readSource(
      'gossip/a.ts',
      "// Date.now() await\n/* Math.random */ const a = 'process.env';\n",
    );
    const impure = readSource('gossip/b.ts', 'const a = Date.now();\nawait b;\n');
    deepEqual(impurities([pure, impure]), ['gossip/b.ts reads a clock', 'gossip/b.ts waits']);
    deepEqual(impurities([readSource('gossip/c.io.ts', 'Date.now()')]), []);
  });

  it('keeps strings that look like comments', () => {
    equal(withoutComments("const a = 'http://x'; // gone"), "const a = 'http://x';        ");
    equal(withoutComments('const a = /[/*]+/; b(); /* gone */'), 'const a = /[/*]+/; b();           ');
  });

  it('sees an export without a docstring', () => {
    const file = readSource(
      'base/a.ts',
      '/** Doc. */\nexport const A = 1;\nexport const B = 2;\n\nexport function c() {}\n',
    );
    deepEqual(undocumented([file]), ['base/a.ts:5: export function c() {}']);
  });
});
