import { deepEqual } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AttachmentFiles } from '../../../npc/attachment-files.io.ts';

describe('AttachmentFiles', () => {
  let folder: string;
  let files: AttachmentFiles;
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'weft-test-attachments-')), 'pods');
    mkdirSync(folder);
    files = new AttachmentFiles(folder);
  });
  afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

  /** As weftd writes it: whole, by rename. */
  const write = (link: string, address: string): void => {
    const path = join(folder, `${link}.json`);
    const file = { version: 1, link, serial: 's1', addresses: [address], pod: null, containerId: 'c' };
    writeFileSync(`${path}.new`, JSON.stringify(file));
    renameSync(`${path}.new`, path);
  };
  const look = (): 'unchanged' | (string | undefined)[] => {
    const found = files.look();
    return found === 'unchanged' ? found : found.map((each) => each?.link).sort();
  };

  it('are read twice, then only when the folder changed', () => {
    write('wv00000000001', '10.0.0.1');
    deepEqual(
      [look(), look(), look(), look()],
      [['wv00000000001'], ['wv00000000001'], 'unchanged', 'unchanged'],
    );
    write('wv00000000002', '10.0.0.2');
    const both = ['wv00000000001', 'wv00000000002'];
    deepEqual([look(), look(), look()], [both, both, 'unchanged']);
    rmSync(join(folder, 'wv00000000001.json'));
    deepEqual([look(), look(), look()], [['wv00000000002'], ['wv00000000002'], 'unchanged']);
  });

  it('are found changed where a file is put in place of another', () => {
    write('wv00000000001', '10.0.0.1');
    for (let i = 0; i < 3; i++) files.look();
    write('wv00000000001', '10.0.0.9');
    const found = files.look();
    deepEqual(found === 'unchanged' || found[0]?.addresses, [{ family: 4, value: 0x0a000009n }]);
  });

  it('are none where the folder is missing, which is looked for each time', () => {
    rmSync(folder, { recursive: true });
    deepEqual([look(), look(), look()], [[], [], []]);
    mkdirSync(folder);
    write('wv00000000001', '10.0.0.1');
    deepEqual(look(), ['wv00000000001']);
  });

  it('are read anew after they were forgotten', () => {
    for (let i = 0; i < 3; i++) look();
    files.forget();
    deepEqual([look(), look(), look()], [[], [], 'unchanged']);
  });

  it('tell of those that cannot be understood', () => {
    write('wv00000000001', '10.0.0.1');
    writeFileSync(join(folder, 'wv00000000002.json'), 'garbage');
    deepEqual(look(), ['wv00000000001', undefined]);
  });
});
