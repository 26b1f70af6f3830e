import { equal, match, ok } from 'node:assert/strict';
import type { WhyResult } from '../../../why/why.io.ts';
import { PolicedHost } from '../policed-host.ts';
import type { PolicyHost, TestPod } from '../policy/policy-host.ts';
import { RealApi } from '../policy/real-api.ts';

const WEFT = new URL('../../../bin/weft', import.meta.url).pathname;
const NAMESPACES = ['shut', 'mute', 'open'];

function deny(namespace: string, type: 'Ingress' | 'Egress'): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'deny', namespace },
    spec: { podSelector: {}, policyTypes: [type] },
  };
}

/** weftd with its gate, weft-npc, and a kube-apiserver: all of it real. */
describe('weft why with policies', function () {
  this.timeout(120_000);
  let policed: PolicedHost;
  let host: PolicyHost;
  let unknown: TestPod;

  before(async function () {
    // npm run test:k8s builds it.
    if (!RealApi.isBuilt) return this.skip();
    policed = await PolicedHost.create({
      namespaces: NAMESPACES,
      objects: [deny('shut', 'Ingress'), deny('mute', 'Egress')],
    });
    ({ host } = policed);
    for (const name of [...NAMESPACES.map((namespace) => `${namespace}/p`), 'open/q'])
      await policed.attach(name);
    unknown = await host.attach('shut/nobody');
  });

  after(() => policed?.destroy());

  async function why(source: string, target: string): Promise<WhyResult> {
    const args = ['--run-dir', host.runDir, '--json', 'why', source, target, '80'];
    const { code, stdout, stderr } = await host.node.attempt(WEFT, args);
    ok(stdout.startsWith('{'), stderr);
    const result = JSON.parse(stdout) as WhyResult;
    equal(code, result.verdict.talk ? 0 : 1);
    return result;
  }

  async function droppedAt(source: string, target: string): Promise<string> {
    const { verdict, findings } = await why(source, target);
    ok(!verdict.talk, JSON.stringify(findings));
    ok(verdict.remedy !== '');
    return `${verdict.station}: ${verdict.because}`;
  }

  it('knows pods by name, and what policies say of each end', async () => {
    const { source, target, findings, verdict } = await why('open/p', 'open/q');
    equal(`${source.pod} ${target.pod}`, 'open/p open/q');
    match(
      findings.find(({ check }) => check === 'egress policy')!.seen,
      /^of open\/p: no policy selects the pod/,
    );
    // Nobody listens there.
    ok(!verdict.talk);
    match(verdict.because, /no process listens on TCP 80/);
  });

  it('names the policy that keeps a pod from being reached', async () => {
    match(
      await droppedAt('open/p', 'shut/p'),
      /^ingress policy: denied at shut\/p: policies isolate the pod for ingress/,
    );
  });

  it('names the policy that keeps a pod from sending', async () => {
    const { verdict } = await why('mute/p', 'open/p');
    ok(!verdict.talk);
    match(`${verdict.station}: ${verdict.because}`, /^egress policy: denied at mute\/p: policies isolate/);
    match(verdict.remedy, /NetworkPolicy mute\/deny/);
  });

  it('finds a pod for which the gate is closed, at either end', async () => {
    const [address] = unknown.addresses as [string];
    match(await droppedAt(address, 'open/p'), /^gate of the source: closed for wv/);
    match(await droppedAt('open/p', address), /^gate of the target: closed for wv/);
  });

  it('says without weft-npc what is still enforced, and finds it by the probe', async () => {
    await policed.npc.stop('SIGKILL');
    const { verdict, findings } = await why('open/p', 'shut/p');
    match(
      findings.find(({ check }) => check === 'policies')!.seen,
      /^weft-npc does not run; what it loaded last/,
    );
    ok(!verdict.talk);
    match(
      `${verdict.station}: ${verdict.because}`,
      /^policies: policies that weft-npc has loaded on \S+ deny it/,
    );
    await policed.restartNpc();
  });
});
