import { deepEqual, equal } from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './source.ts';

/**
 * The rooms of the C++ addon, the lowest first, and the foreign headers that each may include. A room uses those before
 * it. Those before `loop` are for threads of our own as well, so they use neither N-API nor libuv's event loop.
 */
const ROOMS = ['packet', 'aead', 'device', 'netlink', 'fastdp', 'loop', 'binding', 'binding/fastdp'] as const;
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  'uv.h': ['loop', 'binding', 'binding/fastdp'],
  'node_api.h': ['binding', 'binding/fastdp'],
};

/** Breaches of direction in a file of `room`, one line each. */
function wrongIncludes(room: (typeof ROOMS)[number], path: string, code: string): string[] {
  return [...code.matchAll(/^#include [<"]([^>"]+)[>"]/gm)].flatMap(([, header]) => {
    const other = ROOMS.findIndex((name) => header!.startsWith(`${name}/`));
    const upward = other > ROOMS.indexOf(room);
    const foreign = FOREIGN[header!] !== undefined && !FOREIGN[header!]!.includes(room);
    return upward || foreign ? [`${path} includes ${header}`] : [];
  });
}

describe('the rooms of the addon', () => {
  const files = ROOMS.flatMap((room) =>
    readdirSync(join(ROOT, 'native', room))
      .filter((name) => /\.(h|cc)$/.test(name))
      .map((name) => ({ room, path: `native/${room}/${name}` })),
  ).map((file) => ({ ...file, code: readFileSync(join(ROOT, file.path), 'utf8') }));

  it('hold all C++ there is', () => {
    equal(files.length > 30, true);
    deepEqual(
      readdirSync(join(ROOT, 'native')).filter((name) => /\.(h|cc)$/.test(name)),
      [],
    );
  });

  it('include only what lies beneath them', () => {
    deepEqual(
      files.flatMap(({ room, path, code }) => wrongIncludes(room, path, code)),
      [],
    );
  });

  it('are told apart by this test', () => {
    const code =
      '#include <node_api.h>\n#include "loop/poll.h"\n#include "device/descriptor.h"\n#include <uv.h>\n';
    deepEqual(wrongIncludes('device', 'x', code), [
      'x includes node_api.h',
      'x includes loop/poll.h',
      'x includes uv.h',
    ]);
    deepEqual(wrongIncludes('binding', 'x', code), []);
  });
});
