import { deepEqual, doesNotMatch, equal, match } from 'node:assert/strict';
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

  /** Pods can be attached; waits for the configuration. */
  const publish = async (): Promise<void> => {
    files.update();
    await until('the configuration', () => existsSync(config));
  };
  const cniVersions = (): unknown =>
    (JSON.parse(readFileSync(config, 'utf8')) as { cniVersions?: unknown }).cniVersions;
  const install = (name: string, ...versions: string[]): void => {
    const answer = JSON.stringify({ cniVersion: '1.0.0', supportedVersions: versions });
    writeFileSync(join(bin, `.${name}`), `#!/bin/sh\n[ $CNI_COMMAND = VERSION ] && echo '${answer}'\n`, {
      mode: 0o755,
    });
    renameSync(join(bin, `.${name}`), join(bin, name));
  };

  it('writes the configuration once pods can be attached, and not before', async () => {
    isReady = false;
    files.update();
    equal(existsSync(config), false);
    isReady = true;
    await publish();
    deepEqual(chain(), ['weft-net', 'portmap']);
    deepEqual(files.warnings(), []);
  });

  it('puts the configuration back when it is removed, renamed, or changed', async () => {
    await publish();
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
    await publish();
    rmSync(join(bin, 'weft-net'));
    await until('it to be back', () => existsSync(join(bin, 'weft-net')));
    equal(readFileSync(join(bin, 'weft-net'), 'utf8'), PLUGIN_BYTES);
    equal(statSync(join(bin, 'weft-net')).mode & 0o777, 0o755);
    deepEqual(readdirSync(bin).sort(), ['loopback', 'portmap', 'weft-net']);
  });

  it('lets a newer plugin be that somebody installs, and puts back that one', async () => {
    await publish();
    writeFileSync(join(bin, '.new'), 'newer');
    renameSync(join(bin, '.new'), join(bin, 'weft-net'));
    rmSync(join(bin, 'portmap')); // what shows that it has looked since
    await chains('weft-net');
    rmSync(join(bin, 'weft-net'));
    await until('it to be back', () => existsSync(join(bin, 'weft-net')));
    equal(readFileSync(join(bin, 'weft-net'), 'utf8'), 'newer');
  });

  it('lets the chain follow the plugins that come and go, and says what is missing', async () => {
    await publish();
    rmSync(join(bin, 'portmap'));
    await chains('weft-net');
    match(told(), /hostPorts of pods have no effect/);
    writeFileSync(join(bin, 'bandwidth'), '');
    writeFileSync(join(bin, 'portmap'), '');
    await chains('weft-net', 'portmap', 'bandwidth');
    deepEqual(files.warnings(), []);
  });

  it('offers CNI 1.1 where each plugin of the chain speaks it, also one that is replaced, and else does not', async () => {
    install('portmap', '0.4.0', '1.0.0', '1.1.0');
    await publish();
    deepEqual(cniVersions(), ['1.0.0', '1.1.0']);
    install('bandwidth', '0.4.0', '1.0.0');
    await chains('weft-net', 'portmap', 'bandwidth');
    equal(cniVersions(), undefined);
    install('bandwidth', '1.0.0', '1.1.0');
    await until('CNI 1.1 to be offered', () => cniVersions() !== undefined);
    rmSync(join(bin, 'bandwidth'));
    rmSync(join(bin, 'portmap'));
    await chains('weft-net');
    deepEqual(cniVersions(), ['1.0.0', '1.1.0']);
  });

  it('does not offer CNI 1.1 where a plugin of the chain cannot be asked', async () => {
    await publish();
    deepEqual(chain(), ['weft-net', 'portmap']);
    equal(cniVersions(), undefined);
    doesNotMatch(logged.join('\n'), /put it back/);
  });

  it('warns of the configuration of another network that sorts first, and touches it not', async () => {
    await publish();
    const other = join(folder, 'net.d', '05-other.conflist');
    writeFileSync(other, '{}');
    match(told(), /takes '05-other\.conflist', which sorts before 10-weft/);
    equal(readFileSync(other, 'utf8'), '{}');
    rmSync(other);
    deepEqual(files.warnings(), []);
  });

  it('slows down where something removes it again and again, and says so', async () => {
    await publish();
    for (let i = 0; i < 4; i++) {
      await until('it to be back', () => existsSync(config));
      rmSync(config);
    }
    await until('the warning', () => /removes or changes .* again and again/.test(told()));
  });

  it('watches a folder that was made anew', async function () {
    this.timeout(60_000);
    await publish();
    rmSync(join(folder, 'net.d'), { recursive: true });
    mkdirSync(join(folder, 'net.d'));
    writeFileSync(join(bin, 'bandwidth'), ''); // the other folder's event is one to look at both
    await chains('weft-net', 'portmap', 'bandwidth');
    rmSync(config);
    await until('it to be back', () => existsSync(config));
  });

  it('leaves the files to its successor once it is closed', async () => {
    await publish();
    files.close();
    rmSync(config);
    files.update();
    await new Promise((resolve) => setTimeout(resolve, 200));
    equal(existsSync(config), false);
  });

  it('says why the configuration cannot be written, for as long', async () => {
    rmSync(join(folder, 'net.d'), { recursive: true });
    files.update();
    await until('the fault', () => files.warnings().length > 0);
    match(told(), /10-weft\.conflist cannot be written/);
    mkdirSync(join(folder, 'net.d'));
    files.update();
    deepEqual(files.warnings(), []);
  });
});
