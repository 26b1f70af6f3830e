import { sumOf, verdictOf } from './edge-sums.ts';
import type {
  DeniedEnd,
  DeniedRow,
  EdgePort,
  EdgeRow,
  Picture,
  Series,
  Viewer,
  WorkloadRow,
} from './picture.ts';
import { OUTSIDE } from './workload-name.ts';

/** The id of all that a viewer may not see. */
const OTHER = 'other';
const HIDDEN_POLICY = 'a policy that you may not see';

/**
 * What `viewer` may see of a picture: workloads of their namespaces, who of the world outside talks with these, and one row
 * for all others. Nothing that is not theirs is told of by name, address, number or time. `series` are those of what they see.
 */
export function viewerPicture(picture: Picture, viewer: Viewer, series: Series): Picture {
  if (viewer.namespaces === null && viewer.seesNodes) return { ...picture, viewer };
  const sight = new Sight(picture, viewer);
  const edges = sight.edges();
  return {
    number: picture.number,
    at: picture.at,
    node: viewer.seesNodes ? picture.node : '',
    version: picture.version,
    told: viewer.seesNodes ? picture.told : 0,
    silent: viewer.seesNodes ? picture.silent : [],
    seconds: picture.seconds,
    counted: picture.counted,
    warnings: viewer.seesNodes ? picture.warnings : [],
    notes: viewer.seesNodes ? picture.notes : sight.notes(),
    away: picture.away === null ? null : viewer.seesNodes ? picture.away : 'weftd does not answer',
    policy: sight.policy(),
    viewer,
    nodes: viewer.seesNodes ? picture.nodes : [],
    tunnels: viewer.seesNodes ? picture.tunnels : [],
    workloads: sight.workloads(edges),
    edges,
    denied: sight.denied(),
    series: viewer.namespaces === null ? picture.series : series,
  };
}

/** One viewer's look at one picture. */
class Sight {
  readonly #picture: Picture;
  readonly #namespaces: ReadonlySet<string> | null;
  readonly #workloadById: ReadonlyMap<string, WorkloadRow>;

  constructor(picture: Picture, { namespaces }: Viewer) {
    this.#picture = picture;
    this.#namespaces = namespaces === null ? null : new Set(namespaces);
    this.#workloadById = new Map(picture.workloads.map((row) => [row.id, row]));
  }

  edges(): EdgeRow[] {
    const edgeById = new Map<string, EdgeRow>();
    for (const edge of this.#picture.edges) {
      if (!this.#isOwn(edge.source) && !this.#isOwn(edge.target)) continue;
      const source = this.#shownAs(edge.source);
      const target = this.#shownAs(edge.target);
      const id = `${source}>${target}`;
      const isHidden = source === OTHER || target === OTHER;
      const seen: EdgeRow = {
        ...edge,
        id,
        source,
        target,
        // What somebody else's Service is called is theirs; and so are nodes of theirs.
        ports: target === OTHER ? edge.ports.map((port) => ({ ...port, service: null })) : edge.ports,
        ways: isHidden ? [] : edge.ways,
        policies: this.#policies(edge.policies),
      };
      const known = edgeById.get(id);
      edgeById.set(id, known === undefined ? seen : merged(known, seen));
    }
    return [...edgeById.values()];
  }

  workloads(edges: readonly EdgeRow[]): WorkloadRow[] {
    const ends = new Set(edges.flatMap(({ source, target }) => [source, target]));
    const seen = this.#picture.workloads.filter(
      ({ id, kind }) => this.#isOwn(id) || (kind === 'outside' && ends.has(id)),
    );
    if (!ends.has(OTHER)) return seen;
    const name = 'others, whom you may not see';
    return [...seen, { id: OTHER, kind: 'other', namespace: null, name, pods: [], podCount: 0, nodes: [] }];
  }

  denied(): DeniedRow[] {
    return this.#picture.denied
      .filter(({ source, target }) => this.#isOwn(source.workload) || this.#isOwn(target.workload))
      .map((row) => ({
        ...row,
        source: this.#end(row.source),
        target: this.#end(row.target),
        policies: this.#policies(row.policies),
      }));
  }

  policy(): Picture['policy'] {
    const { policy } = this.#picture;
    if (policy === null || this.#namespaces === null) return policy;
    return {
      complete: policy.complete,
      selected: null,
      waiting: policy.waiting.filter((pod) => this.#hasNamespace(pod)),
      unhonoured: policy.unhonoured.filter((each) => this.#isOwnPolicy(each.policy)),
    };
  }

  notes(): string[] {
    const { counted, away } = this.#picture;
    return counted || away !== null ? [] : ['bytes are not counted here'];
  }

  #isOwn(id: string): boolean {
    if (this.#namespaces === null) return true;
    const namespace = this.#workloadById.get(id)?.namespace;
    return namespace !== null && namespace !== undefined && this.#namespaces.has(namespace);
  }

  #shownAs(id: string): string {
    return this.#isOwn(id) || this.#isOutside(id) ? id : OTHER;
  }

  #isOutside(id: string): boolean {
    return id === OUTSIDE || this.#workloadById.get(id)?.kind === 'outside';
  }

  #end(end: DeniedEnd): DeniedEnd {
    if (this.#isOwn(end.workload)) return end;
    if (this.#isOutside(end.workload)) return { ...end, node: null };
    return { workload: OTHER, pod: null, address: '', node: null };
  }

  #policies(policies: readonly string[]): string[] {
    return [...new Set(policies.map((policy) => (this.#isOwnPolicy(policy) ? policy : HIDDEN_POLICY)))];
  }

  /** `NetworkPolicy ns/name`, or `ClusterNetworkPolicy name`, which everybody's pods have to obey. */
  #isOwnPolicy(policy: string): boolean {
    const name = policy.split(' ').at(-1)!;
    return this.#namespaces === null || !name.includes('/') || this.#hasNamespace(name);
  }

  /** `ns/name` */
  #hasNamespace(name: string): boolean {
    return name.includes('/') && this.#namespaces!.has(name.split('/', 1)[0]!);
  }
}

/** Two edges that a viewer cannot tell apart. */
function merged(a: EdgeRow, b: EdgeRow): EdgeRow {
  const portByKey = new Map<string, EdgePort>();
  for (const port of [...a.ports, ...b.ports]) {
    const key = `${port.protocol} ${port.port} ${port.service}`;
    const known = portByKey.get(key);
    portByKey.set(key, known === undefined ? port : { ...port, ...sumOf(known, port) });
  }
  const sum = sumOf(a, b);
  return {
    ...a,
    ...sum,
    verdict: verdictOf(sum),
    ports: [...portByKey.values()],
    policies: [...new Set([...a.policies, ...b.policies])],
  };
}
