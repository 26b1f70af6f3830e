import { deepEqual, equal, throws } from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeCniConfig } from '../../../../daemon/kubernetes/cni-config.io.ts';
import { cniConfigList } from '../../../../daemon/kubernetes/cni-config.ts';

function plugins(text: string): string[] {
  const list = JSON.parse(text) as { readonly plugins: readonly { readonly type: string }[] };
  return list.plugins.map(({ type }) => type);
}

describe('cniConfigList', () => {
  it('chains the plugins that the host has, and no other', () => {
    const runDir = '/run/weft';
    const none = new Set<string>();
    const all = cniConfigList({ runDir, present: new Set(['bandwidth', 'portmap', 'bridge']), latest: none });
    deepEqual(plugins(all), ['weft-net', 'portmap', 'bandwidth']);
    deepEqual(plugins(cniConfigList({ runDir, present: none, latest: none })), ['weft-net']);
  });
});

describe('writeCniConfig', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-cni-config-'));
    mkdirSync(join(folder, 'bin'));
    mkdirSync(join(folder, 'net.d'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const options = () => ({ runDir: '/run/weft', binDir: join(folder, 'bin'), latest: new Set<string>() });
  const path = (): string => join(folder, 'net.d', '10-weft.conflist');

  it('writes the file whole, and leaves one alone that is right', () => {
    writeFileSync(join(folder, 'bin', 'portmap'), '');
    writeCniConfig(path(), options());
    deepEqual(plugins(readFileSync(path(), 'utf8')), ['weft-net', 'portmap']);
    deepEqual(readdirSync(join(folder, 'net.d')), ['10-weft.conflist']);
    const { ino } = statSync(path());
    writeCniConfig(path(), options());
    equal(statSync(path()).ino, ino);
    writeFileSync(join(folder, 'bin', 'bandwidth'), '');
    writeCniConfig(path(), options());
    deepEqual(plugins(readFileSync(path(), 'utf8')), ['weft-net', 'portmap', 'bandwidth']);
  });

  it('says so where the folder is missing', () => {
    throws(() => writeCniConfig(join(folder, 'none', 'x.conflist'), options()), {
      code: 'E_CNI_CONFIG',
      message: /none\/x\.conflist cannot be written/,
    });
  });
});
