import type { PolicyHost, TestPod } from '../../test/netns/policy/policy-host.ts';
import { percentile } from '../report.ts';

const ONE_BY_ONE = 20;
const TOGETHER = 50;

/** How many pods of the API {@link addTimes} needs. */
export const ADDED_PODS = ONE_BY_ONE + TOGETHER;

/** What CNI_ARGS say of a pod that the API has. */
export type PodArgs = (index: number) => string;

/**
 * How long ADD takes on a node where weft-npc serves, and on one without policies: of pods one after the other p50, and of
 * some at once p99, from the start to the end of the plugin. Both nodes attach the same pods in turn.
 */
export async function addTimes(
  nodes: { readonly policed: PolicyHost; readonly plain: PolicyHost },
  args: PodArgs,
): Promise<Record<'addP50Ms' | 'addMoreP50Ms' | 'togetherP99Ms' | 'togetherMoreP99Ms', number>> {
  const one: Record<keyof typeof nodes, number[]> = { policed: [], plain: [] };
  const all: Record<keyof typeof nodes, number[]> = { policed: [], plain: [] };
  for (let i = 0; i < ONE_BY_ONE; i++)
    for (const which of ['policed', 'plain'] as const)
      one[which].push(...(await attach(nodes[which], [args(i)])));
  for (const which of ['policed', 'plain'] as const) {
    const together = Array.from({ length: TOGETHER }, (_, i) => args(ONE_BY_ONE + i));
    all[which].push(...(await attach(nodes[which], together)));
  }
  const [addP50Ms, plainP50Ms] = [percentile(one.policed, 0.5), percentile(one.plain, 0.5)];
  const [togetherP99Ms, plainP99Ms] = [percentile(all.policed, 0.99), percentile(all.plain, 0.99)];
  return {
    addP50Ms,
    addMoreP50Ms: addP50Ms - plainP50Ms,
    togetherP99Ms,
    togetherMoreP99Ms: togetherP99Ms - plainP99Ms,
  };
}

/** Attaches pods at once and takes them away again; the milliseconds of each. */
async function attach(host: PolicyHost, args: readonly string[]): Promise<number[]> {
  const namespaces = await Promise.all(args.map(() => host.podNamespace()));
  const pods: TestPod[] = await Promise.all(
    args.map((each, i) => host.attach('', { args: each, namespace: namespaces[i]! })),
  );
  await Promise.all(pods.map((pod) => host.detach(pod)));
  await Promise.all(namespaces.map((namespace) => namespace.delete()));
  return pods.map(({ added }) => added.ms);
}
