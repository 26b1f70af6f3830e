import { deepEqual, equal, match } from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { warningLine } from '../../../../base/warning.ts';
import { CniFiles } from '../../../../daemon/kubernetes/cni-files.io.ts';
import { clock } from '../../../../host/clock.io.ts';
import { Log } from '../../../../host/log.ts';
import { until } from '../../../cluster/command.ts';
import { seededRandom } from '../../../seeded-random.ts';

const PLUGIN_BYTES = 'the plugin as it was installed';

describe('CniFiles', () => {
  let folder: string;
  let config: string;
  let bin: string;
  let files: CniFiles;
  let isReady: boolean;
  let logged: string[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-cni-files-'));
    [config, bin] = [join(folder, 'net.d', '10-weft.conflist'), join(folder, 'bin')];
    for (const each of ['net.d', 'bin']) mkdirSync(join(folder, each));
    for (const name of ['portmap', 'loopback']) writeFileSync(join(bin, name), '');
    writeFileSync(join(bin, 'weft-net'), PLUGIN_BYTES, { mode: 0o755 });
    [isReady, logged] = [true, []];
    const sink = { write: (line: string) => logged.push(line), now: clock, date: () => 'D' };
    files = new CniFiles({
      config: { cniConfig: config, cniBinDir: bin, runDir: '/run/weft' },
      ready: () => isReady,
      log: new Log(sink, { level: 'info', format: 'text' }),
      now: clock,
      random: seededRandom(1),
    });
  });
  afterEach(() => {
    files.close();
    rmSync(folder, { recursive: true });
  });

  const told = (): string => files.warnings().map(warningLine).join();
  const chain = (): string[] => {
    const list = JSON.parse(readFileSync(config, 'utf8')) as { plugins: { type: string }[] };
    return list.plugins.map(({ type }) => type);
  };
  const chains = (...wanted: string[]): Promise<unknown> =>
    until(`a chain of ${wanted}`, () => existsSync(config) && chain().join() === wanted.join());

  it('writes the configuration once pods can be attached, and not before', () => {
    isReady = false;
    files.update();
    equal(existsSync(config), false);
    isReady = true;
    files.update();
    deepEqual(chain(), ['weft-net', 'portmap']);
    deepEqual(files.warnings(), []);
  });

  it('puts the configuration back when it is removed, renamed, or changed', async () => {
    files.update();
    const text = readFileSync(config, 'utf8');
    for (const harm of [
      () => rmSync(config),
      () => renameSync(config, `${config}.disabled`),
      () => writeFileSync(config, '{}'),
    ]) {
      harm();
      await until('it to be back', () => existsSync(config) && readFileSync(config, 'utf8') === text);
    }
    match(logged.join('\n'), /was removed; put it back/);
    match(logged.join('\n'), /was changed; put it back/);
  });

  it('puts the plugin back, whole and executable, when a package upgrade removes it', async () => {
    files.update();
    rmSync(join(bin, 'weft-net'));
    await until('it to be back', () => existsSync(join(bin, 'weft-net')));
    equal(readFileSync(join(bin, 'weft-net'), 'utf8'), PLUGIN_BYTES);
    equal(statSync(join(bin, 'weft-net')).mode & 0o777, 0o755);
    deepEqual(readdirSync(bin).sort(), ['loopback', 'portmap', 'weft-net']);
  });

  it('lets a newer plugin be that somebody installs, and puts back that one', async () => {
    files.update();
    writeFileSync(join(bin, '.new'), 'newer');
    renameSync(join(bin, '.new'), join(bin, 'weft-net'));
    rmSync(join(bin, 'portmap')); // what shows that it has looked since
    await chains('weft-net');
    rmSync(join(bin, 'weft-net'));
    await until('it to be back', () => existsSync(join(bin, 'weft-net')));
    equal(readFileSync(join(bin, 'weft-net'), 'utf8'), 'newer');
  });

  it('lets the chain follow the plugins that come and go, and says what is missing', async () => {
    files.update();
    rmSync(join(bin, 'portmap'));
    await chains('weft-net');
    match(told(), /hostPorts of pods have no effect/);
    writeFileSync(join(bin, 'bandwidth'), '');
    writeFileSync(join(bin, 'portmap'), '');
    await chains('weft-net', 'portmap', 'bandwidth');
    deepEqual(files.warnings(), []);
  });

  it('warns of the configuration of another network that sorts first, and touches it not', async () => {
    files.update();
    const other = join(folder, 'net.d', '05-other.conflist');
    writeFileSync(other, '{}');
    match(told(), /takes '05-other\.conflist', which sorts before 10-weft/);
    equal(readFileSync(other, 'utf8'), '{}');
    rmSync(other);
    deepEqual(files.warnings(), []);
  });

  it('slows down where something removes it again and again, and says so', async () => {
    files.update();
    for (let i = 0; i < 4; i++) {
      await until('it to be back', () => existsSync(config));
      rmSync(config);
    }
    await until('the warning', () => /removes or changes .* again and again/.test(told()));
  });

  it('watches a folder that was made anew', async function () {
    this.timeout(60_000);
    files.update();
    rmSync(join(folder, 'net.d'), { recursive: true });
    mkdirSync(join(folder, 'net.d'));
    writeFileSync(join(bin, 'bandwidth'), ''); // the other folder's event is one to look at both
    await chains('weft-net', 'portmap', 'bandwidth');
    rmSync(config);
    await until('it to be back', () => existsSync(config));
  });

  it('leaves the files to its successor once it is closed', async () => {
    files.update();
    files.close();
    rmSync(config);
    files.update();
    await new Promise((resolve) => setTimeout(resolve, 200));
    equal(existsSync(config), false);
  });

  it('says why the configuration cannot be written, for as long', async () => {
    rmSync(join(folder, 'net.d'), { recursive: true });
    files.update();
    match(told(), /10-weft\.conflist cannot be written/);
    mkdirSync(join(folder, 'net.d'));
    files.update();
    deepEqual(files.warnings(), []);
  });
});
