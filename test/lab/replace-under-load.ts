import { deepEqual, equal } from 'node:assert/strict';
import { TcpProbe } from './tcp-probe.ts';
import { ROLLOUT_LIMIT_S, type WeftLab } from './weft-lab.ts';
import { podOn, sleeper } from './workloads.ts';

const PODS_PAUSE_MS = 1_000;

/**
 * Lets kubectl begin a rollout of Weft with `args`, and makes pods until it is over, while a TCP connection between the
 * web servers of n1 and n2 is watched. Rejects where a pod did not get its network, where the connection broke, or where
 * afterwards not all agree on who has which address.
 */
export async function replaceUnderLoad(
  weft: WeftLab,
  args: readonly string[],
  input?: string,
): Promise<void> {
  const { lab } = weft;
  const pods = await lab.kubectl.waitForPods('app=web', { count: lab.nodes.length });
  const probe = await TcpProbe.start(lab, podOn(pods, 'n1'), podOn(pods, 'n2'), 2 * ROLLOUT_LIMIT_S);
  await lab.kubectl.run(args, input === undefined ? {} : { input });
  const rollout = weft.rolledOut();
  let over = false;
  void Promise.allSettled([rollout]).then(() => {
    over = true;
  });
  let made = 0;
  while (!over) {
    await lab.apply(sleeper(`rollout-${++made}`, { labels: { app: 'rollout' } }));
    await new Promise((resolve) => setTimeout(resolve, PODS_PAUSE_MS));
  }
  await rollout;
  await lab.kubectl.waitForPods('app=rollout', { count: made });
  const { longestGapMs, broken, answers } = await probe.finish();
  console.log(`      longest gap ${longestGapMs} ms, ${made} pods made meanwhile, ${answers} answers`);
  equal(broken, null);
  deepEqual(await failedSandboxes(weft), []);
  await lab.kubectl.run(['delete', 'pods', '-l', 'app=rollout', '--grace-period=0', '--force']);
  for (const { name } of lab.nodes) await weft.assertIpamAgrees(name);
}

/** What the kubelets said of pods that got no network. */
async function failedSandboxes({ lab }: WeftLab): Promise<string[]> {
  const events = await lab.kubectl.list('events', 'default');
  return (events as unknown as { readonly reason: string; readonly message: string }[])
    .filter(({ reason }) => reason === 'FailedCreatePodSandBox')
    .map(({ message }) => message);
}
