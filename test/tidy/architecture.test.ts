import { deepEqual, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ALLOWED, importsByRoom } from './rooms.ts';
import { projectFiles, ROOT, readSource, readSources, type SourceFile } from './source.ts';

/** What ARCHITECTURE.md says of rooms, files and functions is compared with the source. */

/** The floor of each room as the first drawing of `text` has it: a number, then rooms; lines without a number go on. */
function floorsIn(text: string): Map<string, number> {
  const drawing = /```text\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const floorByRoom = new Map<string, number>();
  let floor: number | undefined;
  for (const line of drawing.split('\n').slice(1)) {
    const [, number, rest] = /^\s*(\d+)?(.*)$/.exec(line)!;
    if (number !== undefined) floor = Number(number);
    if (floor === undefined) continue;
    for (const room of rest!.split(/\s+/)) if (room !== '') floorByRoom.set(room, floor);
  }
  return floorByRoom;
}

/** Where the drawing is not true, one line each. */
function wrongFloors(floorByRoom: ReadonlyMap<string, number>, files: readonly SourceFile[]): string[] {
  const roomsByRoom = importsByRoom(files);
  return [
    ...[...roomsByRoom.keys()].filter((room) => !floorByRoom.has(room)).map((room) => `${room} is not drawn`),
    ...[...floorByRoom.keys()]
      .filter((room) => !roomsByRoom.has(room))
      .map((room) => `${room} is drawn and not there`),
    ...[...roomsByRoom].flatMap(([room, others]) =>
      [...others]
        .filter((other) => !(floorByRoom.get(other)! < floorByRoom.get(room)!))
        .map((other) => `${room} imports ${other}, which is not on a lower floor`),
    ),
  ];
}

/**
 * What `text` names between backticks and is not in the project: files (by path, or by the end of one), and functions,
 * methods and types, of which the last part is looked for as a word in the sources.
 */
function missingNames(text: string, paths: readonly string[], words: ReadonlySet<string>): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)]
    .map(([, token]) => token!)
    .filter((token) => {
      if (/^[\w./-]+\.(ts|c|cc|h)$/.test(token))
        return !paths.some((path) => path === token || path.endsWith(`/${token}`));
      if (/^[A-Za-z]\w*(::|\.)#?\w+$/.test(token)) return !words.has(token.split(/::|\.#?/).at(-1)!);
      if (/^[a-z]+[A-Z]\w*$|^[A-Z]\w*[a-z]\w*$/.test(token)) return !words.has(token);
      return false;
    });
}

describe('ARCHITECTURE.md', () => {
  const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const files = readSources();

  it('draws every room on a floor above all that it imports', () => {
    const floors = floorsIn(text);
    ok(floors.size > 20, 'the drawing is found');
    deepEqual(wrongFloors(floors, files), []);
  });

  it('has a line in the code map for every room', () => {
    const lines = new Set([...text.matchAll(/^\| `([a-z/]+)\/` \|/gm)].map(([, room]) => room));
    deepEqual(
      Object.keys(ALLOWED).filter((room) => !lines.has(room) && !room.startsWith('daemon/')),
      [],
    );
  });

  it('names files, functions and types that are there', () => {
    const paths = projectFiles();
    const words = new Set<string>();
    for (const path of paths.filter((each) => /\.(ts|c|cc|h)$/.test(each))) {
      for (const [word] of readFileSync(join(ROOT, path), 'utf8').matchAll(/\w+/g)) words.add(word);
    }
    deepEqual(missingNames(text, paths, words), []);
  });
});

describe('the reader of ARCHITECTURE.md', () => {
  it('sees an arrow that points up, a room that is not drawn and one that is not there', () => {
    const files = [
      readSource('base/a.ts', "import { b } from '../crypto/b.ts';\n"),
      readSource('crypto/b.ts', ''),
      readSource('linux/c.ts', ''),
    ];
    const floors = floorsIn('```text\nfloor\n\n  1   crypto  attic\n  0   base\n```\n');
    deepEqual(wrongFloors(floors, files), [
      'linux is not drawn',
      'attic is drawn and not there',
      'base imports crypto, which is not on a lower floor',
    ]);
  });

  it('sees a file and a function that are not there', () => {
    const text =
      'see `base/a.ts`, `a.ts`, `base/b.ts`, `Ring.ownerOf`, `Ring.#lost`, `gone::away`, `someFunction`, `plain`';
    deepEqual(missingNames(text, ['base/a.ts'], new Set(['ownerOf'])), [
      'base/b.ts',
      'Ring.#lost',
      'gone::away',
      'someFunction',
    ]);
  });
});
