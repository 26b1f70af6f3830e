import { type Check, familyOf, hostChecks, type Outcome, SERVER_PORT, serverChecks } from './check.ts';
import type { ServiceFacts, WeftNodeFacts } from './cluster-facts.ts';
import type { OutsideTarget } from './outside-target.ts';
import { NAMESPACE, SERVICE } from './workload-objects.ts';

/** What kubelets listen at: nobody needs to answer there, a reset is an answer too. */
const KUBELET_PORT = 10_250;

/** All that is known once the pods that serve are there. */
export interface ClusterPlanFacts {
  readonly near: WeftNodeFacts;
  /** Undefined where the cluster has one node. */
  readonly far: WeftNodeFacts | undefined;
  readonly addressesOf: {
    readonly near: readonly string[];
    readonly far: readonly string[];
    /** Empty where no policies are tried. */
    readonly guarded: readonly string[];
  };
  readonly service: ServiceFacts | undefined;
  readonly outside: readonly OutsideTarget[];
  /** Hex; undefined where encryption is not tried. */
  readonly marker: string | undefined;
}

export const MARK = 'mark';

/** What the pod `client`, which no policy selects, tries. */
export function clientChecks(facts: ClusterPlanFacts): Check[] {
  const { near, far, addressesOf, service, outside, marker } = facts;
  const at = (addresses: readonly string[], where: string): Check[] => serverChecks(where, addresses);
  const serviceAt = (to: string, where: string, port: number): Check[] => [
    { name: `${where}, ${familyOf(to)}`, what: { kind: 'tcp', to, port } },
  ];
  return [
    // First, while the one who watches for it is sure to be there.
    ...(marker === undefined || far === undefined
      ? []
      : [{ name: MARK, what: { kind: 'mark', to: addressesOf.far, marker } } as const]),
    ...at(addressesOf.near, 'pod to pod of its node'),
    ...(far === undefined ? [] : at(addressesOf.far, 'pod to pod of another node')),
    ...hostChecks('pod to its node', near.addresses, KUBELET_PORT),
    ...(far === undefined ? [] : hostChecks('pod to another node', far.addresses, KUBELET_PORT)),
    ...(service === undefined ? [] : serviceChecks(service)),
    ...(service?.nodePort === undefined
      ? []
      : [near, ...(far === undefined ? [] : [far])].flatMap(({ name, addresses }) =>
          addresses.slice(0, 1).flatMap((to) => serviceAt(to, `NodePort of ${name}`, service.nodePort!)),
        )),
    { name: 'DNS, the API', what: { kind: 'name', name: 'kubernetes.default.svc' } },
    { name: 'DNS, a Service', what: { kind: 'name', name: `${SERVICE}.${NAMESPACE}.svc` } },
    ...outside.map(({ address, port }) => ({
      name: `outside, ${familyOf(address)}, ${address}`,
      what: { kind: 'reach', to: address, port } as const,
    })),
    ...addressesOf.guarded.map((to) => ({
      name: `policy keeps others out, ${familyOf(to)}`,
      what: { kind: 'closed', to, port: SERVER_PORT } as const,
    })),
  ];
}

/** What the pod `allowed` tries. */
export function allowedChecks({ addressesOf }: ClusterPlanFacts): Check[] {
  return addressesOf.guarded.map((to) => ({
    name: `policy lets its pod in, ${familyOf(to)}`,
    what: { kind: 'tcp', to, port: SERVER_PORT },
  }));
}

function serviceChecks({ addresses }: ServiceFacts): Check[] {
  return addresses.flatMap((to) => {
    const where = `Service, ${familyOf(to)}`;
    return [
      { name: `${where}, TCP`, what: { kind: 'tcp', to, port: SERVER_PORT } },
      { name: `${where}, UDP`, what: { kind: 'udp', to, port: SERVER_PORT } },
    ] as const satisfies readonly Check[];
  });
}

/** Outcomes of the log of a client, one line each, and whether it has come to its end. */
export function readLog(
  log: string,
  read: (line: string) => Outcome | undefined,
): { readonly outcomes: Outcome[]; readonly isDone: boolean } {
  const lines = log.split('\n');
  return {
    outcomes: lines.flatMap((line) => read(line) ?? []),
    isDone: lines.some((line) => line === '{"done":true}'),
  };
}
