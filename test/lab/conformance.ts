/**
 * `npm run test:conformance [-- --focus REGEX] [--skip REGEX] [--cni weft|bridge|up]`: Kubernetes' own test suite,
 * e2e.test, against a lab of its own with Weft (the default) or the plain bridge, or against the lab that is up. Prints
 * how each spec went; the last line is "N passed, N failed". Everything that it said, and a JUnit report, are in the
 * lab's logs.
 */

import { spawn } from 'node:child_process';
import { cpSync, createWriteStream, mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Lab } from './harness/lab.ts';
import { ADMIN_CONFIG, BIN, LOG_FOLDER, MACHINE_ENV } from './harness/paths.ts';
import { WeftLab } from './weft-lab.ts';

/** The conformance specs of the network, and those of two address families. */
const FOCUS = '\\[sig-network\\].*(\\[Conformance\\]|IPv6DualStack)';
/** What a lab has not: another cloud, an internet, SCTP in the kernel, more than one zone. */
const SKIP = '\\[Slow\\]|\\[Disruptive\\]|\\[Serial\\]|SCTP|Feature:LoadBalancer';
const LIMIT = '50m';

const { values } = parseArgs({
  options: {
    focus: { type: 'string', default: FOCUS },
    skip: { type: 'string', default: SKIP },
    cni: { type: 'string', default: 'weft' },
  },
});

/** Runs e2e.test on the control plane's machine; resolves with what ginkgo counted. */
async function runSuite(lab: Lab): Promise<{ readonly passed: number; readonly failed: number }> {
  const { machine } = lab.controlPlane;
  const reports = '/var/log/e2e';
  mkdirSync(`${machine.folder}${reports}`, { recursive: true });
  mkdirSync(`${LOG_FOLDER}/e2e`, { recursive: true });
  const [program, ...args] = machine.inside([
    `${BIN}/e2e.test`,
    ...[`--kubeconfig=${ADMIN_CONFIG}`, '--provider=skeleton', `--report-dir=${reports}`],
    ...[`--ginkgo.focus=${values.focus}`, `--ginkgo.skip=${values.skip}`],
    ...['--ginkgo.v', '--ginkgo.no-color', '--ginkgo.silence-skips', `--ginkgo.timeout=${LIMIT}`],
  ]);
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...MACHINE_ENV } });
  const log = createWriteStream(`${LOG_FOLDER}/e2e/output.log`);
  child.stderr.pipe(log, { end: false });
  let counted: { passed: number; failed: number } | undefined;
  let spec = '';
  for await (const line of createInterface({ input: child.stdout })) {
    log.write(`${line}\n`);
    const summary = /(\d+) Passed \| (\d+) Failed/.exec(line);
    if (summary) counted = { passed: Number(summary[1]), failed: Number(summary[2]) };
    if (/^\[sig-|^\[[A-Z]\w+\]/.test(line)) spec = line;
    const ended = /^• (\[FAILED\] )?\[([\d.]+) seconds\]/.exec(line);
    if (ended)
      console.log(`${ended[1] ? 'FAILED' : 'ok    '} ${Number(ended[2]).toFixed(1).padStart(5)} s  ${spec}`);
    if (/^Will run|^Ran \d/.test(line)) console.log(line);
  }
  log.end();
  cpSync(`${machine.folder}${reports}`, `${LOG_FOLDER}/e2e`, { recursive: true });
  return counted ?? { passed: 0, failed: 1 }; // it ended before it could count
}

/** The lab that is asked for; its API server reaches pods. */
async function makeLab(): Promise<Lab> {
  if (values.cni === 'up') return Lab.attach();
  if (values.cni === 'bridge') return Lab.up({ cni: 'bridge' });
  if (values.cni !== 'weft') throw new Error('--cni is weft, bridge or up');
  const weft = await WeftLab.up();
  await weft.joinControlPlane();
  return weft.lab;
}

const lab = await makeLab();
try {
  const { passed, failed } = await runSuite(lab);
  console.log(`logs are in ${LOG_FOLDER}/e2e`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
} finally {
  if (values.cni !== 'up') await lab.down();
}
