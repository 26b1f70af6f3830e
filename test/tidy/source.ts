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
}

export interface Import {
  /** As written: `node:fs`, `commander`, `../base/bytes.ts`. */
  readonly specifier: string;
  /** Path from the root where it is a file of ours. */
  readonly target: string | undefined;
  /** `import type`: gone when the program runs. */
  readonly typeOnly: boolean;
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
  'kube',
  'node',
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
  const statement = /^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
  for (const [, type, specifier] of code.matchAll(statement)) {
    found.push({ specifier: specifier!, target: targetOf(path, specifier!), typeOnly: type !== undefined });
  }
  for (const [, specifier] of code.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) {
    found.push({ specifier: specifier!, target: targetOf(path, specifier!), typeOnly: false });
  }
  return found;
}

function targetOf(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return relative(ROOT, join(ROOT, dirname(path), specifier));
}
