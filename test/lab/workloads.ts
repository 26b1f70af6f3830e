import { ok } from 'node:assert/strict';
import type { KubeObject } from './harness/kubectl.ts';
import type { Lab } from './harness/lab.ts';

/** Where the web server listens in its pod, and, by portmap, on its node. */
export const PORT = 8080;
export const HOST_PORT = 8888;

/** A container of upstream's test program, with these arguments. */
export function agnhost(args: readonly string[], more: Readonly<Record<string, unknown>> = {}): object {
  return { name: 'agnhost', image: 'lab.test/agnhost:1', args, ...more };
}

/** A pod that does nothing, and ends at once when it has to. */
export function sleeper(
  name: string,
  { labels = {}, node }: { readonly labels?: Readonly<Record<string, string>>; readonly node?: string } = {},
) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [agnhost(['pause'])],
      ...(node === undefined ? {} : { nodeName: node }),
    },
  };
}

/** A web server on each node that tells who asked, and a Service before them. */
export const WEB = [
  {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'web' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          tolerations: [{ operator: 'Exists' }],
          containers: [
            agnhost(['netexec', `--http-port=${PORT}`], {
              ports: [{ containerPort: PORT, hostPort: HOST_PORT }],
              readinessProbe: { httpGet: { path: '/healthz', port: PORT }, periodSeconds: 1 },
            }),
          ],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: {
      selector: { app: 'web' },
      type: 'NodePort',
      ipFamilyPolicy: 'RequireDualStack',
      ports: [{ port: 80, targetPort: PORT }],
    },
  },
];

/** That of some pods which is on a node. */
export function podOn(pods: readonly KubeObject[], node: string): KubeObject {
  const pod = pods.find(({ spec }) => spec.nodeName === node);
  ok(pod, `none of the pods is on ${node}`);
  return pod;
}

/** A pod's addresses, IPv4 first. */
export function addressesOf(pod: KubeObject): [v4: string, v6: string] {
  const found: string[] = pod.status.podIPs.map((each: { ip: string }) => each.ip);
  const v4 = found.find((each) => !each.includes(':'));
  const v6 = found.find((each) => each.includes(':'));
  ok(v4 !== undefined && v6 !== undefined, `not dual stack: ${found.join(' ')}`);
  return [v4, v6];
}

/** `http://HOST:PORT`, with brackets where they belong. */
export function url(address: string, port: number, path = ''): string {
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}${path}`;
}

/** What a pod gets from an address, or from a Service's name. */
export async function get(lab: Lab, from: KubeObject, to: string, ...flags: string[]): Promise<string> {
  const { stdout } = await lab.exec(from.metadata.name, ['curl', '-sS', '-m', '5', ...flags, to]);
  return stdout;
}

/** The same for a machine of the lab. */
export async function getFrom(machine: Lab['outside'], to: string): Promise<string> {
  return (await machine.run(['curl', '-sS', '-m', '5', to])).stdout;
}
