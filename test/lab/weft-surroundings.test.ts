import { deepEqual, equal } from 'node:assert/strict';
import type { ReportResult } from '../../control/control-protocol.ts';
import { until } from '../cluster/command.ts';
import type { KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';
import { leftovers, takeDown } from './harness/take-down.ts';
import { KILL_WEFTD, NAMESPACE, WeftLab } from './weft-lab.ts';
import { sleeper } from './workloads.ts';

const CONFIG = '/etc/cni/net.d/10-weft.conflist';
const PLUGIN = '/opt/cni/bin/weft-net';
const SLOW = { timeoutMs: 120_000, everyMs: 1_000 };

/** What other programs do on a node beside Weft, and what else of a cluster must fit to it. */
describe('Weft among the other programs of a node', function () {
  this.timeout(600_000);
  let weft: WeftLab;
  let lab: Lab;

  before(async () => {
    weft = await WeftLab.up({ nodes: 2 });
    lab = weft.lab;
    await weft.settled();
  });

  after(async () => {
    await takeDown();
    deepEqual(leftovers(), []);
  });

  const onNode = async (script: string): Promise<string> =>
    (await lab.node('n1').run(['sh', '-c', script])).stdout;
  const warned = (what: RegExp, wanted = true): Promise<unknown> =>
    until(
      `${wanted ? 'a' : 'no'} warning ${what}`,
      async () => {
        const warnings = await weft.warnings('n1');
        if (warnings.some((each) => what.test(each)) !== wanted) throw new Error(warnings.join('\n'));
        return true;
      },
      SLOW,
    );
  /** A pod can be started on n1. */
  const startsPods = async (name: string): Promise<void> => {
    await lab.apply(sleeper(name, { labels: { app: name }, node: 'n1' }));
    await lab.kubectl.waitForPods(`app=${name}`);
  };

  it('has nothing to warn of on a sound node', async () => {
    deepEqual(await weft.warnings('n1'), []);
  });

  it('puts its configuration and its plugin back where a program removes them, and pods start', async () => {
    const before = await onNode(`cat ${CONFIG}; sha256sum ${PLUGIN}`);
    await onNode(`rm ${CONFIG} ${PLUGIN}`);
    await until('both to be back', async () => {
      const { stdout } = await lab.node('n1').run(['sh', '-c', `cat ${CONFIG}; sha256sum ${PLUGIN}`], {
        mayFail: true,
      });
      return stdout === before;
    });
    equal(await onNode(`stat -c %a ${PLUGIN}`), '755\n');
    await startsPods('after-removal');
    await lab.kubectl.waitForNodes(['n1']);
  });

  it('follows portmap as it goes and comes, and says what is missing', async () => {
    await onNode('mv /opt/cni/bin/portmap /var/portmap');
    await until('a chain without it', async () => !(await onNode(`cat ${CONFIG}`)).includes('portmap'));
    await warned(/hostPorts of pods have no effect/);
    await startsPods('without-portmap');
    await onNode('mv /var/portmap /opt/cni/bin/portmap');
    await until('a chain with it', async () => (await onNode(`cat ${CONFIG}`)).includes('portmap'));
    await warned(/hostPorts/, false);
  });

  it('is asked by the runtime whether pods can start, where the chain speaks CNI 1.1; a restart leaves the node Ready', async () => {
    const readySince = async (): Promise<string> => {
      const node = (await lab.kubectl.get('node', 'n1')) as KubeObject;
      const ready = node.status.conditions.find(({ type }: { readonly type: string }) => type === 'Ready');
      return `${ready.status} since ${ready.lastTransitionTime}`;
    };
    const before = await readySince();
    await onNode('mkdir /var/old; mv /opt/cni/bin/portmap /opt/cni/bin/bandwidth /var/old');
    await until('CNI 1.1 to be offered', async () => (await onNode(`cat ${CONFIG}`)).includes('cniVersions'));
    const asked = async (): Promise<number> => {
      const { counters } = await weft.weft<ReportResult>('n1', 'report');
      equal(counters['cni.statusFailed'] ?? 0, 0);
      return counters['cni.statusDone'] ?? 0;
    };
    await until('the runtime to ask', async () => (await asked()) > 0, SLOW);
    await startsPods('at-latest');
    await onNode(KILL_WEFTD);
    await until('Weft to serve again', async () => (await asked()) > 0, SLOW);
    equal(await readySince(), before);
    await onNode('mv /var/old/* /opt/cni/bin/');
    await until('a chain of before', async () => (await onNode(`cat ${CONFIG}`)).includes('portmap'));
    await startsPods('at-old-again');
  });

  it('names the configuration of another network that sorts first', async () => {
    await onNode(
      `echo '{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"bridge"}]}' > /etc/cni/net.d/05-x.conflist`,
    );
    await warned(/takes '05-x\.conflist', which sorts before 10-weft\.conflist/);
    await onNode('rm /etc/cni/net.d/05-x.conflist');
    await warned(/sorts before/, false);
    await startsPods('after-another');
  });

  it('says that kube-proxy takes another range for that of pods', async () => {
    const node = lab.node('n1');
    await node.stopKubeProxy();
    await node.startKubeProxy(['--cluster-cidr=10.244.0.0/16']);
    await warned(/kube-proxy takes only 10\.244\.0\.0\/16 for pods.*Services hide the senders/);
    await node.stopKubeProxy();
    await node.startKubeProxy();
    await warned(/kube-proxy/, false);
  });

  it('says that nobody enforces the NetworkPolicies of the cluster where weft-npc was taken out', async () => {
    await lab.apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'closed' },
      spec: { podSelector: {} },
    });
    const daemonSet = await lab.kubectl.get('daemonset', 'weft', NAMESPACE);
    const [{ args }] = daemonSet!.spec.template.spec.containers as [{ args: string[] }];
    const patch = [
      { op: 'remove', path: `/spec/template/spec/containers/0/args/${args.indexOf('--policy')}` },
    ];
    await lab.kubectl.run(['delete', 'daemonset/weft-npc', '-n', NAMESPACE, '--wait=true']);
    await lab.kubectl.run(['patch', 'ds/weft', '-n', NAMESPACE, '--type=json', '-p', JSON.stringify(patch)]);
    await weft.rolledOut();
    // They are counted every few minutes, and at the start.
    await warned(/the NetworkPolicy of this cluster is not enforced/);
    await weft.apply();
    await weft.rolledOut();
    await warned(/not enforced/, false);
    await lab.kubectl.run(['delete', 'networkpolicy/closed']);
  });

  it('follows a rotation of the authority of the API, as it is documented, and is not restarted for it', async () => {
    const secret = async (): Promise<string | undefined> =>
      (await lab.kubectl.get('secret', 'weft-secret', NAMESPACE))?.metadata.uid;
    const pods = await Promise.all(lab.nodes.map(({ name }) => weft.podOn(name)));
    await lab.rotateAuthority(async () => {
      for (const { metadata, spec } of pods)
        await until(
          `the pod on ${spec.nodeName} to trust both authorities`,
          async () => {
            const folder = `/var/lib/kubelet/pods/${metadata.uid}/volumes/kubernetes.io~projected`;
            const script = `cat ${folder}/*/ca.crt | grep -c BEGIN`;
            const { stdout } = await lab.node(spec.nodeName).run(['sh', '-c', script], { mayFail: true });
            return stdout === '2\n';
          },
          { timeoutMs: 240_000, everyMs: 1_000 },
        );
    });
    await lab.waitForNodes(undefined, 120_000);
    // Who watches by the new authority sees what is deleted, and who writes puts it back.
    const before = await secret();
    await lab.kubectl.run(['delete', '-n', NAMESPACE, 'secret/weft-secret']);
    await until('the Secret to be back', async () => ![undefined, before].includes(await secret()), SLOW);
    await warned(/API of Kubernetes/, false);
    for (const pod of pods) {
      const now = await weft.podOn(pod.spec.nodeName);
      equal(now.metadata.uid, pod.metadata.uid);
      equal(restartsOf(now), restartsOf(pod));
    }
  });
});

function restartsOf({ status }: KubeObject): number {
  const counts: { readonly restartCount: number }[] = status.containerStatuses;
  return counts.reduce((sum, { restartCount }) => sum + restartCount, 0);
}
