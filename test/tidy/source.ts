import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

/** One TypeScript file of the project. */
export interface SourceFile {
  /** From the root of the checkout: `ipam/ring/ring.ts`. */
  readonly path: string;
  /** `ipam`. */
  readonly folder: string;
  readonly text: string;
  readonly lines: readonly string[];
  /** The text without comments; strings are kept. */
  readonly code: string;
  readonly imports: readonly Import[];
  readonly exports: readonly Export[];
}

export interface Import {
  /** As written: `node:fs`, `commander`, `../base/bytes.ts`. */
  readonly specifier: string;
  /** Path from the root where it is a file of ours. */
  readonly target: string | undefined;
  /** `import type`: gone when the program runs. */
  readonly typeOnly: boolean;
  /** What is taken, as the imported file calls it; `*` where it may be all. Nothing for `import './x.ts'`. */
  readonly names: readonly string[];
}

/** One exported name. */
export interface Export {
  readonly name: string;
  /** A type is gone when the program runs. `constant`: a value in capitals. `again`: exported from another file. */
  readonly kind: 'type' | 'class' | 'function' | 'constant' | 'value' | 'again';
}

/** A folder of the product, and no test, benchmark or tool. */
export function isProduct(path: string): boolean {
  return !/^(test|bench|tools)\//.test(path);
}

/** Files under version control or about to be: nothing that is ignored, nothing that is deleted. */
export function projectFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return listed.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)));
}

export function readSources(): SourceFile[] {
  return projectFiles()
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readSource(path, readFileSync(join(ROOT, path), 'utf8')));
}

export function readSource(path: string, text: string): SourceFile {
  const code = withoutComments(text);
  return {
    path,
    folder: path.split('/', 1)[0]!,
    text,
    lines: text.split('\n'),
    code,
    imports: importsOf(path, code),
    exports: exportsOf(code),
  };
}

/**
 * A core: what must run on virtual time, with bytes and `now` in and outputs out. Beside the shells (`*.io.ts`),
 * these folders hold nothing else.
 */
export function isCore(path: string): boolean {
  const [folder] = path.split('/', 1);
  return CORE_FOLDERS.has(folder!) && path.endsWith('.ts') && !path.endsWith('.io.ts');
}

export const CORE_FOLDERS: ReadonlySet<string> = new Set([
  'base',
  'crypto',
  'gossip',
  'ipam',
  'router',
  'cni',
  'linux',
  'flows',
  'kube',
  'node',
  'ground',
]);

/** Blanks comments out and leaves strings, templates and lines where they are. */
export function withoutComments(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=[=(,:]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\//g,
    (token) => (token.startsWith('//') || token.startsWith('/*') ? token.replace(/[^\n]/g, ' ') : token),
  );
}

function importsOf(path: string, code: string): Import[] {
  const found: Import[] = [];
  const statement = /^(?:import|export)\s+(type\s)?(?:([^'";]*?)\sfrom\s+)?'([^']+)'/gm;
  for (const [, type, clause, specifier] of code.matchAll(statement)) {
    const names = clause === undefined ? [] : namesIn(clause);
    found.push({
      specifier: specifier!,
      target: targetOf(path, specifier!),
      typeOnly: type !== undefined,
      names,
    });
  }
  for (const [, specifier, name] of code.matchAll(/\bimport\(\s*'([^']+)'\s*\)(?:\)\.(\w+))?/g)) {
    const names = [name ?? '*'];
    found.push({ specifier: specifier!, target: targetOf(path, specifier!), typeOnly: false, names });
  }
  return found;
}

function exportsOf(code: string): Export[] {
  const found = new Map<string, Export>();
  const declaration =
    /^export (?:declare |abstract |async )*(function\*?|class|interface|type|const|let) (\w+)/gm;
  for (const [, word, name] of code.matchAll(declaration)) {
    // The overloads of a function are one export.
    if (!found.has(name!)) found.set(name!, { name: name!, kind: exportKind(word!, name!) });
  }
  for (const [, clause] of code.matchAll(/^export (?:type )?(\{[^}]*\}|\*)/gm)) {
    for (const name of namesIn(clause!)) found.set(name, { name, kind: 'again' });
  }
  return [...found.values()];
}

function exportKind(word: string, name: string): Export['kind'] {
  if (word === 'interface' || word === 'type') return 'type';
  if (word === 'class') return 'class';
  if (word.startsWith('function')) return 'function';
  return /^[A-Z0-9_]+$/.test(name) ? 'constant' : 'value';
}

/** The names between the braces of an import or export, as they are called in the other file. */
function namesIn(clause: string): string[] {
  const list = /\{([^}]*)\}/.exec(clause)?.[1];
  if (list === undefined) return ['*'];
  return list
    .split(',')
    .map(
      (each) =>
        each
          .trim()
          .replace(/^type\s+/, '')
          .split(/\s+as\s+/)[0]!,
    )
    .filter((name) => name !== '');
}

function targetOf(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return relative(ROOT, join(ROOT, dirname(path), specifier));
}
