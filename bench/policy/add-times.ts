import { setTimeout as delay } from 'node:timers/promises';
import type { Namespace } from '../../test/netns/namespaces.ts';
import type { PolicyHost, TestPod } from '../../test/netns/policy/policy-host.ts';
import { percentile } from '../report.ts';

const ONE_BY_ONE = 20;
const TOGETHER = 50;
/** After pods went, before others come. */
const SETTLE_MS = 2_000;

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
  const attached: Record<keyof typeof nodes, Attached[]> = { policed: [], plain: [] };
  for (let i = 0; i < ONE_BY_ONE; i++)
    for (const which of ['policed', 'plain'] as const)
      attached[which].push(...(await attach(nodes[which], [args(i)])));
  for (const which of ['policed', 'plain'] as const) {
    one[which].push(...attached[which].map(({ pod }) => pod.added.ms));
    await detach(nodes[which], attached[which]);
    await delay(SETTLE_MS);
    const together = await attach(
      nodes[which],
      Array.from({ length: TOGETHER }, (_, i) => args(ONE_BY_ONE + i)),
    );
    all[which].push(...together.map(({ pod }) => pod.added.ms));
    await detach(nodes[which], together);
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

/** A pod that hangs on a node, and its own namespace. */
interface Attached {
  readonly pod: TestPod;
  readonly namespace: Namespace;
}

/** Attaches pods at once. */
async function attach(host: PolicyHost, args: readonly string[]): Promise<Attached[]> {
  const namespaces = await Promise.all(args.map(() => host.podNamespace()));
  return Promise.all(
    namespaces.map(async (namespace, i) => ({
      pod: await host.attach('', { args: args[i]!, namespace }),
      namespace,
    })),
  );
}

async function detach(host: PolicyHost, attached: readonly Attached[]): Promise<void> {
  await Promise.all(attached.map(({ pod }) => host.detach(pod)));
  await Promise.all(attached.map(({ namespace }) => namespace.delete()));
}
