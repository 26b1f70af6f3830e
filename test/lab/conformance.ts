/**
 * `npm run test:conformance [-- --focus REGEX] [--skip REGEX] [--processes N] [--cni weft|bridge|up]`: Kubernetes' own
 * test suite, e2e.test, against a lab of its own with Weft (the default) or the plain bridge, or against the lab that is
 * up. `npm run test:netpol` is the same with all specs of NetworkPolicy. Prints how each spec went; the last line is
 * "N passed, N failed". Everything that it said, and JUnit reports, are in the lab's logs.
 */

import { parseArgs } from 'node:util';
import { listSpecs, runSpecs, summarize } from './e2e-suite.ts';
import { labForSuite } from './lab-for-suite.ts';

/** The conformance specs of the network, and those of two address families. */
const CONFORMANCE = '\\[sig-network\\].*(\\[Conformance\\]|IPv6DualStack)';
/** What a lab has not: another cloud, an internet, SCTP in the kernel, more than one zone. */
const SKIP = '\\[Slow\\]|\\[Disruptive\\]|\\[Serial\\]|SCTPConnectivity|Feature:LoadBalancer';

/** The specs of NetworkPolicy, those that send SCTP too: agnhost has a stand-in for it (`go/sctp`). */
const NETPOL = '\\[sig-network\\] Netpol';
const { values } = parseArgs({
  options: {
    netpol: { type: 'boolean', default: false },
    focus: { type: 'string' },
    skip: { type: 'string' },
    processes: { type: 'string', default: '1' },
    cni: { type: 'string', default: 'weft' },
  },
});
const processes = Number(values.processes);
if (!Number.isInteger(processes) || processes < 1) throw new Error('--processes is a number from 1');

const { lab, end } = await labForSuite(values.cni);
try {
  const { machine } = lab.controlPlane;
  const focus = values.focus ?? (values.netpol ? NETPOL : CONFORMANCE);
  const skip = values.skip ?? (values.netpol ? undefined : SKIP);
  const names = await listSpecs(machine, focus, skip);
  console.log(`${names.length} specs`);
  const results = await runSpecs(machine, names, {
    processes,
    limit: '80m',
    ended: ({ name, state, seconds }) =>
      console.log(`${state === 'failed' ? 'FAILED' : 'ok    '} ${seconds.toFixed(1).padStart(5)} s  ${name}`),
  });
  process.exitCode = summarize(results);
} finally {
  await end();
}
