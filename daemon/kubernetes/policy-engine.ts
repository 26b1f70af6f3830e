/** Controllers that enforce NetworkPolicies beside any pod network, by the tables or chains that they make on each node. */
const ENGINES = [
  { name: 'weft-npc', made: /^weft-npc$/ },
  { name: 'kube-network-policies', made: /^kube-network-policies/ },
  { name: 'kube-router', made: /^KUBE-(NWPLCY|POD-FW|ROUTER-FORWARD)/ },
  { name: 'Calico', made: /^(cali-FORWARD|filter-cali-FORWARD|calico)$/ },
  { name: 'Antrea', made: /^ANTREA-POL/ },
] as const;

/** Who enforces NetworkPolicies on a host that has tables and chains of these names; undefined where nobody is known. */
export function policyEngineOf(names: Iterable<string>): string | undefined {
  for (const each of names) {
    const engine = ENGINES.find(({ made }) => made.test(each));
    if (engine !== undefined) return engine.name;
  }
  return undefined;
}
