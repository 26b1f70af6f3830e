import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const WEFT_NODE = join(ROOT, 'bin/weft-node');

/** What a program prints; it must succeed, and say nothing else. */
function output(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const outcome = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, ...env },
  });
  assert.equal(outcome.stderr, '');
  assert.equal(outcome.status, 0, String(outcome.error));
  return outcome.stdout;
}

describe('the start of a program', function () {
  this.timeout(120_000);
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-start-'));
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  /** What of Node.js's own modules `program --help` loads, one a line. */
  const loadedBy = (program: string): string => {
    const tell = "process.once('exit', () => console.log(process.moduleLoadList.join('\\n')))";
    const hook = `data:text/javascript,${tell}`;
    return output(WEFT_NODE, ['--import', hook, join(ROOT, program), '--help']);
  };

  for (const program of ['daemon/weftd.ts', 'npc/weft-npc.ts', 'cli/weft.ts'])
    it(`loads no client of HTTP/2 or fetch into ${program}`, () => {
      const loaded = loadedBy(program);
      assert.match(loaded, /^NativeModule fs$/m);
      assert.doesNotMatch(loaded, /^NativeModule (http2|internal\/deps\/undici\/undici)$/m);
    });

  it('loads what speaks to the API of Kubernetes only where there is one', () => {
    assert.doesNotMatch(loadedBy('daemon/weftd.ts'), /^NativeModule https$/m);
  });

  describe('with a compile cache', () => {
    const cached = (): string[] =>
      globSync('**/*', { cwd: join(folder, 'cache'), withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
    const run = (program: string): string =>
      output(WEFT_NODE, [join(folder, program)], { NODE_COMPILE_CACHE: join(folder, 'cache') });
    const write = (value: string): void =>
      writeFileSync(join(folder, 'main.ts'), `const value: string = '${value}';\nconsole.log(value);\n`);

    it('keeps what it made of a source, and follows the source', () => {
      write('first');
      assert.equal(run('main.ts'), 'first\n');
      assert.ok(cached().length > 0);
      // The same length and, as far as a file system can tell, perhaps the same time.
      write('other');
      assert.equal(run('main.ts'), 'other\n');
      write('other and longer');
      assert.equal(run('main.ts'), 'other and longer\n');
    });

    it('survives a damaged one, and one that is no folder', () => {
      write('value');
      run('main.ts');
      for (const file of cached()) {
        const bytes = readFileSync(file);
        bytes.fill(0xa5, bytes.length >> 1);
        writeFileSync(file, bytes);
      }
      assert.equal(run('main.ts'), 'value\n');
      for (const file of cached()) writeFileSync(file, '');
      assert.equal(run('main.ts'), 'value\n');
      rmSync(join(folder, 'cache'), { recursive: true });
      writeFileSync(join(folder, 'cache'), '');
      assert.equal(run('main.ts'), 'value\n');
    });

    it('keeps it in the checkout unless told otherwise', () => {
      const told = output(WEFT_NODE, ['-p', 'process.env.NODE_COMPILE_CACHE'], { NODE_COMPILE_CACHE: '' });
      assert.equal(told, `${ROOT}.cache/compile\n`);
    });
  });

  describe('in the image', () => {
    it('has JavaScript of every source, line by line as long, that imports nothing else', () => {
      output(WEFT_NODE, [join(ROOT, 'tools/strip-types.ts'), folder]);
      const scripts = globSync('**/*.js', { cwd: folder });
      const folders = readdirSync(folder).sort();
      assert.ok(scripts.length > 200 && folders.includes('daemon') && folders.includes('cli'));
      for (const left of ['test', 'bench', 'tools', 'docs', 'node_modules'])
        assert.ok(!existsSync(join(folder, left)), left);
      for (const script of scripts) {
        const source = readFileSync(join(ROOT, script.replace(/\.js$/, '.ts')), 'utf8').split('\n');
        const lines = readFileSync(join(folder, script), 'utf8').split('\n');
        assert.deepEqual(
          lines.map((line) => line.length),
          source.map((line) => line.length),
          script,
        );
        assert.ok(!lines.some((line) => /^\s*(import|export)\b.*\.ts';$/.test(line)), script);
      }
      cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
      symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
      mkdirSync(join(folder, 'native/build'));
      cpSync(join(ROOT, 'native/build/weft.node'), join(folder, 'native/build/weft.node'));
      for (const program of ['cli/weft', 'daemon/weftd']) {
        // Under the name of its source, as manifests have it.
        symlinkSync(join(folder, `${program}.js`), join(folder, `${program}.ts`));
        const help = output(WEFT_NODE, [join(folder, `${program}.ts`), '--help']);
        assert.equal(help, output(WEFT_NODE, [join(ROOT, `${program}.ts`), '--help']));
        assert.match(help, /Usage/);
      }
    });
  });
});
