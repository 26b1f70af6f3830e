/**
 * `npm run test:policy-api [-- --run REGEX] [--channel experimental|standard] [--cni weft|bridge|up]`: the conformance
 * suite of network-policy-api, for ClusterNetworkPolicy, against a lab of its own with Weft (the default) or the plain
 * bridge, or against the lab that is up. Its kind is installed from the same release. Prints how each test went; the last
 * line is "N passed, N failed". Everything that it said, and its report, are in the lab's logs.
 */

import { spawn } from 'node:child_process';
import { cpSync, createWriteStream, mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type GoTest, readGoTests } from './go-tests.ts';
import { installClusterPolicyKind } from './harness/cluster-policy-kind.ts';
import type { Lab } from './harness/lab.ts';
import { BIN, LOG_FOLDER, MACHINE_ENV } from './harness/paths.ts';
import { labForSuite } from './lab-for-suite.ts';

const FOLDER = `${LOG_FOLDER}/policy-api`;
/** Where the suite leaves its report, on the machine where it runs. */
const REPORT = '/var/log/policy-api-report.yaml';
/** The test that runs all others, and writes a report of them. */
const PROFILE_TEST = 'TestConformanceProfiles';

const { values } = parseArgs({
  options: {
    run: { type: 'string', default: '' },
    channel: { type: 'string', default: 'experimental' },
    cni: { type: 'string', default: 'weft' },
  },
});
const { channel } = values;
if (channel !== 'experimental' && channel !== 'standard') {
  throw new Error(`--channel is experimental or standard, not '${channel}'`);
}

/** Runs the suite on the control plane's machine; answers its tests, those within others too. */
async function runSuite(lab: Lab): Promise<GoTest[]> {
  mkdirSync(FOLDER, { recursive: true });
  const { machine } = lab.controlPlane;
  const features = ['ClusterNetworkPolicyNamedPorts', 'ClusterNetworkPolicyEgressNodePeers'];
  const [program, ...args] = machine.inside([
    `${BIN}/policy-api.test`,
    ...['-test.v', '-test.timeout=80m', `-test.run=^${PROFILE_TEST}$/${values.run}`],
    ...['--conformance-profiles=ClusterNetworkPolicy', `--report-output=${REPORT}`],
    ...(channel === 'experimental' ? [`--supported-features=${features.join(',')}`] : []),
    ...['--organization=weft', '--project=weft', '--url=lab.test', '--version=lab', '--contact=lab.test'],
    '--additional-info=npm run test:policy-api',
  ]);
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...MACHINE_ENV } });
  const log = createWriteStream(`${FOLDER}/output.log`);
  child.stderr.pipe(log, { end: false });
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    log.write(`${line}\n`);
    lines.push(line);
    // A test's own line comes when all those within it have ended; theirs follow it, further to the right.
    if (/^=== RUN +[^/]+\/[^/]+$/.test(line)) console.log(line.replace(/^=== RUN +[^/]+\//, 'runs '));
  }
  log.end();
  cpSync(`${machine.folder}${REPORT}`, `${FOLDER}/report.yaml`, { force: true, recursive: true });
  return readGoTests(lines);
}

const { lab, end } = await labForSuite(values.cni);
try {
  await installClusterPolicyKind(lab, channel);
  const all = await runSuite(lab);
  const tests = all.filter(({ name }) => name.split('/').length === 2);
  const within = all.filter(({ name }) => name.split('/').length === 3);
  const failed = tests.filter(({ state }) => state === 'FAIL');
  for (const { name, state, seconds } of tests) {
    console.log(`${state.padEnd(4)} ${seconds.toFixed(1).padStart(6)} s  ${name.split('/')[1]}`);
  }
  for (const { name, output } of within.filter(({ state }) => state === 'FAIL')) {
    console.log(`\nFAILED ${name.split('/').slice(1).join(': ')}\n${[...new Set(output)].join('\n')}`);
  }
  const passed = tests.filter(({ state }) => state === 'PASS').length;
  const skipped = tests.filter(({ state }) => state === 'SKIP').length;
  const good = within.filter(({ state }) => state === 'PASS').length;
  console.log(`\n${within.length} tests within them, ${good} passed; logs are in ${FOLDER}`);
  // A suite that could not even begin has failed.
  const broken = tests.length === 0 ? 1 : 0;
  console.log(
    `${passed} passed, ${failed.length + broken} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`,
  );
  process.exitCode = failed.length + broken === 0 && passed > 0 ? 0 : 1;
} finally {
  await end();
}
