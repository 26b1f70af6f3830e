import type {
  Cluster,
  LabelSelector,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicyRule,
  NetworkPolicySpec,
} from './api-objects.ts';
import type { Dice } from './dice.ts';
import {
  addressesIn,
  NAMESPACE_LABELS,
  objectMeta,
  POD_LABELS,
  PORT_NAMES,
  PORTS,
  STRANGERS,
} from './vocabulary.ts';

/** A NetworkPolicy of any form that the API takes, and of some that it does not. */
export function networkPolicy(dice: Dice, cluster: Cluster, number: number): NetworkPolicy {
  const policyTypes = dice.oneOf([
    undefined,
    undefined,
    null,
    [],
    ['Ingress'],
    ['Egress'],
    ['Ingress', 'Egress'],
  ]);
  const spec: NetworkPolicySpec = {
    ...(dice.chance(90) ? { podSelector: dice.chance(50) ? {} : selector(dice, POD_LABELS) } : {}),
    ...(policyTypes === undefined ? {} : { policyTypes }),
    ...rules(dice, cluster, 'ingress'),
    ...rules(dice, cluster, 'egress'),
  };
  return {
    metadata: {
      ...objectMeta(`np${number}`),
      namespace: dice.oneOf(cluster.namespaces).metadata.name,
    },
    ...(dice.chance(2) ? {} : { spec }),
  };
}

function rules(dice: Dice, cluster: Cluster, direction: 'ingress' | 'egress'): Partial<NetworkPolicySpec> {
  const kind = dice.between(1, 10);
  if (kind === 1) return {};
  if (kind === 2) return { [direction]: [] };
  if (kind === 3) return { [direction]: null };
  if (kind === 4) return { [direction]: [{}] };
  return { [direction]: dice.list(1, 3, () => rule(dice, cluster, direction)) };
}

function rule(dice: Dice, cluster: Cluster, direction: 'ingress' | 'egress'): NetworkPolicyRule {
  const peers = dice.chance(20)
    ? dice.oneOf([undefined, null, []])
    : dice.list(1, 3, () => peer(dice, cluster));
  const ports = dice.chance(45) ? dice.oneOf([undefined, null, []]) : dice.list(1, 3, () => port(dice));
  return {
    ...(peers === undefined ? {} : { [direction === 'ingress' ? 'from' : 'to']: peers }),
    ...(ports === undefined ? {} : { ports }),
  };
}

function peer(dice: Dice, cluster: Cluster): NetworkPolicyPeer {
  const kind = dice.between(1, 20);
  if (dice.chance(2))
    return dice.oneOf<NetworkPolicyPeer>([
      { ipBlock: { cidr: '10.32.0.0/16' }, podSelector: {} },
      { ipBlock: { cidr: 'nothing' } },
      { ipBlock: { cidr: '10.32.0.0/33' } },
      { podSelector: { matchExpressions: [{ key: 'app', operator: 'Like', values: ['a'] }] } },
    ]);
  if (kind === 1) return dice.oneOf([{}, { podSelector: null }, { future: {} } as NetworkPolicyPeer]);
  if (kind <= 6) return { podSelector: selector(dice, POD_LABELS) };
  if (kind <= 10) return { namespaceSelector: namespaceSelector(dice, cluster) };
  if (kind <= 13)
    return { namespaceSelector: namespaceSelector(dice, cluster), podSelector: selector(dice, POD_LABELS) };
  const cidr = cidrOf(dice, cluster);
  const except = dice.chance(50)
    ? dice.oneOf([undefined, null, []])
    : dice.list(1, 3, () => (dice.chance(70) ? within(dice, cidr) : cidrOf(dice, cluster)));
  return { ipBlock: { cidr, ...(except === undefined ? {} : { except }) } };
}

function port(dice: Dice): NetworkPolicyPort {
  const protocol = dice.oneOf([undefined, undefined, null, 'TCP', 'TCP', 'UDP', 'SCTP']);
  const stated = protocol === undefined ? {} : { protocol };
  const kind = dice.between(1, 10);
  if (kind === 1) return { ...stated, ...(dice.chance(50) ? { port: null } : {}) };
  if (kind <= 4) return { ...stated, port: dice.oneOf([...PORT_NAMES, 'none']) };
  const first = dice.oneOf(PORTS);
  // What the API does not take, and an allow that nobody understands allows nothing.
  if (dice.chance(3))
    return dice.oneOf<NetworkPolicyPort>([
      { ...stated, endPort: 90 },
      { ...stated, port: 'web', endPort: 90 },
      { ...stated, port: 81, endPort: 80 },
      { protocol: 'GRE' },
    ]);
  if (kind <= 7) return { ...stated, port: first, ...(dice.chance(20) ? { endPort: null } : {}) };
  return { ...stated, port: first, endPort: Math.min(65535, first + dice.oneOf([0, 1, 2, 400, 65535])) };
}

/**
 * A CIDR around an address of the cluster, or around one of nobody's, with or without bits behind its prefix; now and
 * then all of a family.
 */
export function cidrOf(dice: Dice, cluster: Cluster): string {
  const family = dice.oneOf([4, 6] as const);
  if (dice.chance(10)) return family === 4 ? '0.0.0.0/0' : '::/0';
  const someone = dice.oneOf(addressesIn(cluster, family));
  const nobody = family === 4 ? '8.8.8.8' : '2001:4860::8';
  const base = someone === undefined || dice.chance(5) ? nobody : someone;
  const text = family === 6 && dice.chance(10) ? base.toUpperCase().replace('::', ':0::') : base;
  const lengths =
    family === 4 ? [8, 16, 24, 25, 28, 29, 30, 31, 32, 32] : [16, 64, 112, 124, 125, 126, 127, 128, 128];
  return `${text}/${dice.oneOf(lengths)}`;
}

/** A longer prefix of the same base. */
function within(dice: Dice, cidr: string): string {
  const [base, length] = cidr.split('/');
  const most = base!.includes(':') ? 128 : 32;
  return `${base}/${Math.min(most, Number(length) + dice.oneOf([0, 1, 1, 2, 3, 8, 24]))}`;
}

export function namespaceSelector(dice: Dice, cluster: Cluster): LabelSelector {
  const { name } = dice.oneOf(cluster.namespaces).metadata;
  const key = 'kubernetes.io/metadata.name';
  if (dice.chance(20)) return { matchLabels: { [key]: name } };
  if (dice.chance(15)) {
    const operator = dice.oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist']);
    const values = operator.endsWith('In') ? [name, 'other'] : [];
    return { matchExpressions: [{ key, operator, values }] };
  }
  return selector(dice, NAMESPACE_LABELS);
}

/** A selector by these labels, or by one that nobody has. */
export function selector(
  dice: Dice,
  valuesByKey: Readonly<Record<string, readonly string[]>>,
): LabelSelector {
  if (dice.chance(15))
    return dice.oneOf([{}, { matchLabels: {} }, { matchExpressions: [], matchLabels: null }]);
  const key = (): string => (dice.chance(8) ? dice.oneOf(STRANGERS) : dice.oneOf(Object.keys(valuesByKey)));
  const valuesOf = (name: string): readonly string[] =>
    Object.hasOwn(valuesByKey, name) ? valuesByKey[name]! : ['a'];
  const byLabel = (): LabelSelector => {
    const name = key();
    return { matchLabels: { [name]: dice.oneOf(valuesOf(name)) } };
  };
  const byExpression = (): LabelSelector => ({
    matchExpressions: dice.list(1, 2, () => {
      const name = key();
      const operator = dice.oneOf(['In', 'NotIn', 'Exists', 'DoesNotExist']);
      if (operator === 'In' || operator === 'NotIn')
        return { key: name, operator, values: dice.someOf([...valuesOf(name), 'other'], 1, 3) };
      return { key: name, operator, ...dice.oneOf([{}, { values: [] }, { values: null }]) };
    }),
  });
  const kind = dice.between(1, 6);
  if (kind <= 3) return byLabel();
  if (kind <= 5) return byExpression();
  return { ...byLabel(), ...byExpression() };
}
