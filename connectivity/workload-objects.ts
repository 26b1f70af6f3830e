import type { OwnLinks } from '../linux/host-survey.ts';
import { type Check, SERVER_PORT } from './check.ts';

/** Where the workloads lie; it is made by a test and removed at its end, with all that is in it. */
export const NAMESPACE = 'weft-test';
/** By which a namespace is known for one of ours: another of that name is not touched. */
export const OWNED_BY = { key: 'app.kubernetes.io/managed-by', value: 'weft-test' } as const;
export const SERVICE = 'server';

/** What pods of a test are for. `near` and `far` serve, `guarded` too, behind a policy; the clients try. */
export type Role = 'near' | 'far' | 'guarded' | 'client' | 'allowed' | 'watcher';

interface PodOptions {
  readonly role: Role;
  readonly node: string;
  /** Weft's own. */
  readonly image: string;
}

/** The namespace. The one pod that looks at the host's interfaces needs more than others may have. */
export function namespaceObject(): object {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: NAMESPACE,
      labels: { [OWNED_BY.key]: OWNED_BY.value, 'pod-security.kubernetes.io/enforce': 'privileged' },
    },
  };
}

/** A pod that gives back what it gets; it is ready once its node reaches it. */
export function serverPod(options: PodOptions): object {
  return podObject(options, ['serve'], {
    ports: [{ containerPort: SERVER_PORT }],
    readinessProbe: { tcpSocket: { port: SERVER_PORT }, periodSeconds: 1 },
  });
}

/** A pod that tries `checks`, and ends. */
export function clientPod(options: PodOptions, checks: readonly Check[]): object {
  return podObject(options, ['try', JSON.stringify(checks)], {});
}

/** A pod that looks for a text, as hex, in what the interfaces of its host send. */
export function watcherPod(
  options: PodOptions,
  { marker, own, seconds }: { readonly marker: string; readonly own: OwnLinks; readonly seconds: number },
): object {
  const args = ['watch', marker, own.tun, own.podPrefix, String(seconds)];
  const pod = podObject(options, args, {
    securityContext: { ...CONFINED, runAsUser: 0, capabilities: { drop: ['ALL'], add: ['NET_RAW'] } },
  });
  return { ...pod, spec: { ...pod.spec, hostNetwork: true, dnsPolicy: 'Default' } };
}

/** The Service in front of the pods that serve on the other node, or on this where there is one only. */
export function serviceObject(role: 'near' | 'far'): object {
  const ports = (['TCP', 'UDP'] as const).map((protocol) => ({
    name: protocol.toLowerCase(),
    protocol,
    port: SERVER_PORT,
    targetPort: SERVER_PORT,
  }));
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: SERVICE, namespace: NAMESPACE },
    spec: { type: 'NodePort', ipFamilyPolicy: 'PreferDualStack', selector: { role }, ports },
  };
}

/** Only the pod `allowed` may come to the pod `guarded`. */
export function policyObject(): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'guard', namespace: NAMESPACE },
    spec: {
      podSelector: { matchLabels: { role: 'guarded' } },
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ podSelector: { matchLabels: { role: 'allowed' } } }] }],
    },
  };
}

const CONFINED = {
  readOnlyRootFilesystem: true,
  allowPrivilegeEscalation: false,
} as const;

function podObject({ role, node, image }: PodOptions, args: readonly string[], container: object) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: role, namespace: NAMESPACE, labels: { role } },
    spec: {
      // By name, past the scheduler: it is this node's network that is tried.
      nodeName: node,
      tolerations: [{ operator: 'Exists' }],
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 1,
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'agent',
          image,
          // It is there: Weft runs on that node.
          imagePullPolicy: 'IfNotPresent',
          args: ['/weft/connectivity/agent.ts', ...args],
          securityContext: { ...CONFINED, runAsUser: 65_534, capabilities: { drop: ['ALL'] } },
          ...container,
        },
      ],
    },
  };
}
