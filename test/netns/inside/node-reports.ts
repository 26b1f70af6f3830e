// Tells an API server of a node as weftd does (NodeReports), with time that runs 60 times as fast.
//   node-reports.ts KUBECONFIG NODE speaker|other
// Reads what there is to tell from standard input, one JSON line each time it changes: { readiness, problems }. Prints
// what weftd would warn of whenever that changes. Ends with its input.
import { createInterface } from 'node:readline';
import { type Instant, instant } from '../../../base/instant.ts';
import { KubernetesWarnings } from '../../../daemon/kubernetes/kubernetes-warnings.ts';
import { NodeReports, type Reported } from '../../../daemon/kubernetes/node-reports.io.ts';
import { clock } from '../../../host/clock.io.ts';
import { Log } from '../../../host/log.ts';
import { osRandom } from '../../../host/os-random.io.ts';
import { kubeconfigAccess } from '../../../kube/access/kubeconfig.io.ts';
import { ApiClient } from '../../../kube/api-client.io.ts';

const SPEED = 60;
const [kubeconfig = '', nodeName = '', role] = process.argv.slice(2);
const now = (): Instant => instant(clock() * SPEED);
let told: { readiness: ReturnType<Reported['readiness']>; problems: ReturnType<Reported['problems']> } = {
  readiness: { ready: false, reason: 'starting' },
  problems: [],
};
const log = new Log({ write: () => {}, now, date: () => '' }, { level: 'error', format: 'text' });
const warnings = new KubernetesWarnings(log, []);
const client = new ApiClient(kubeconfigAccess(kubeconfig), 'node-reports');
const reports = new NodeReports({
  client,
  namespace: 'weft',
  nodeName,
  isSpeaker: () => role === 'speaker',
  warnings,
  random: osRandom,
  now,
  date: Date.now,
  problems: () => told.problems,
  readiness: () => told.readiness,
  everyMs: 100,
});
reports.start();
let said = '';
const timer = setInterval(() => {
  const text = JSON.stringify(warnings.warnings(now()).map(({ code, message }) => `${code} ${message}`));
  if (text !== said) console.log(text);
  said = text;
}, 100);
for await (const line of createInterface({ input: process.stdin })) told = JSON.parse(line) as typeof told;
clearInterval(timer);
reports.stop();
client.close();
