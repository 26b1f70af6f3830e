import { equal, match } from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../cluster/command.ts';

const FOLDER = fileURLToPath(new URL('../../../monitoring', import.meta.url));

/** What the program of Prometheus, which tools/setup installs, says of them. */
describe('the alerts and the dashboard', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'weft-alerts-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const promtool = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(['promtool', ...args], { mayFail: true });
    equal(status, 0, stdout + stderr);
    return stdout;
  };

  it('fire where they are to, and not where they are not', async () => {
    match(await promtool('test', 'rules', join(FOLDER, 'alerts.test.yaml')), /SUCCESS/);
  });

  it('are tested by what can fail', async () => {
    const blunt = readFileSync(join(FOLDER, 'alerts.yaml'), 'utf8').replace(
      'weft_npc_pods_waiting > 0',
      'weft_npc_pods_waiting > 99',
    );
    writeFileSync(join(folder, 'alerts.yaml'), blunt);
    writeFileSync(join(folder, 'alerts.test.yaml'), readFileSync(join(FOLDER, 'alerts.test.yaml')));
    const { status, stdout, stderr } = await run(
      ['promtool', 'test', 'rules', join(folder, 'alerts.test.yaml')],
      {
        mayFail: true,
      },
    );
    equal(status, 1);
    match(stdout + stderr, /FAILED/);
  });

  it('ask what Prometheus understands', async () => {
    match(await promtool('check', 'rules', join(FOLDER, 'alerts.yaml')), /SUCCESS: 16 rules found/);
    const { panels } = JSON.parse(readFileSync(join(FOLDER, 'grafana-dashboard.json'), 'utf8')) as {
      panels: { targets?: { expr: string }[] }[];
    };
    const rules = panels
      .flatMap(({ targets = [] }) => targets)
      .map(({ expr }, at) => ({
        record: `panel:${at}`,
        expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
      }));
    // YAML holds JSON.
    writeFileSync(join(folder, 'panels.yaml'), JSON.stringify({ groups: [{ name: 'panels', rules }] }));
    match(await promtool('check', 'rules', join(folder, 'panels.yaml')), /SUCCESS/);
  });
});
