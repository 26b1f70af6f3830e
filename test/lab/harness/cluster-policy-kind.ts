import { until } from '../../cluster/command.ts';
import type { Lab } from './lab.ts';
import { BIN } from './paths.ts';

const KIND = 'clusternetworkpolicies.policy.networking.k8s.io';

/** Which of network-policy-api's definitions: the experimental one has more fields. */
export type Channel = 'experimental' | 'standard';

/** Brings the kind ClusterNetworkPolicy into a lab; resolves once it is served. */
export async function installClusterPolicyKind(lab: Lab, channel: Channel): Promise<void> {
  const file = `${BIN}/clusternetworkpolicies-${channel}.yaml`;
  await lab.kubectl.run(['apply', '--server-side', '-f', file]);
  const argv = ['wait', '--for=condition=Established', `crd/${KIND}`, '--timeout=10s'];
  // Of one that has no status yet kubectl says that it has none, and ends.
  await until(
    `${KIND} to be served`,
    async () => (await lab.kubectl.run(argv, { timeoutMs: 20_000, mayFail: true })).status === 0,
    { timeoutMs: 60_000, everyMs: 200 },
  );
}
