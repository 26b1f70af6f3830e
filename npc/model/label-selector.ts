import { isRecord } from '../../kube/objects.ts';
import type { Labels } from './labels.ts';

/** One condition on a label. `In` and `NotIn` have values, the others none. */
interface LabelRequirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

/** Conditions that all must hold; none at all holds for everything. Sorted, so equal selectors are written alike. */
export type LabelSelector = readonly LabelRequirement[];

/** The selector that every object meets. */
export const EVERYTHING: LabelSelector = [];

/**
 * Reads a `LabelSelector` of meta/v1; where it is absent or null, it selects everything, as the API has it for a field
 * that must be there. A text says what is not understood: an operator that is none, a member that is not known.
 */
export function readLabelSelector(value: unknown): LabelSelector | string {
  if (value === undefined || value === null) return EVERYTHING;
  if (!isRecord(value)) return 'a label selector is no object';
  const unknown = Object.keys(value).find((key) => key !== 'matchLabels' && key !== 'matchExpressions');
  if (unknown !== undefined) return `a label selector has a field that is not known, ${shown(unknown)}`;
  const { matchLabels = null, matchExpressions = null } = value;
  const requirements: LabelRequirement[] = [];
  if (matchLabels !== null) {
    if (!isRecord(matchLabels)) return 'matchLabels is no object';
    for (const [key, label] of Object.entries(matchLabels)) {
      if (typeof label !== 'string') return `matchLabels has no text for ${shown(key)}`;
      requirements.push({ key, operator: 'In', values: [label] });
    }
  }
  if (matchExpressions !== null) {
    if (!Array.isArray(matchExpressions)) return 'matchExpressions is no list';
    for (const expression of matchExpressions as unknown[]) {
      const requirement = readRequirement(expression);
      if (typeof requirement === 'string') return requirement;
      requirements.push(requirement);
    }
  }
  return requirements.sort(compareRequirements);
}

function readRequirement(value: unknown): LabelRequirement | string {
  if (!isRecord(value) || typeof value.key !== 'string') return 'an entry of matchExpressions has no key';
  const { key, operator } = value;
  const values: readonly unknown[] = Array.isArray(value.values) ? value.values : [];
  if (!values.every((each) => typeof each === 'string')) return `the values for ${shown(key)} are no texts`;
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) return `${operator} for ${shown(key)} has no values`;
      return { key, operator, values: [...new Set(values)].sort() };
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) return `${operator} for ${shown(key)} has values`;
      return { key, operator, values: [] };
    default:
      return `an operator is not known, ${shown(operator)}`;
  }
}

/** Whether `labels` meet all conditions. `NotIn` holds where the key is absent. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  for (const { key, operator, values } of selector) {
    const value = labels.get(key);
    switch (operator) {
      case 'In':
        if (value === undefined || !values.includes(value)) return false;
        break;
      case 'NotIn':
        if (value !== undefined && values.includes(value)) return false;
        break;
      case 'Exists':
        if (value === undefined) return false;
        break;
      case 'DoesNotExist':
        if (value !== undefined) return false;
        break;
    }
  }
  return true;
}

/** Equal for selectors that are written alike, and only for them. */
export function selectorText(selector: LabelSelector): string {
  return JSON.stringify(selector.map(({ key, operator, values }) => [key, operator, ...values]));
}

function compareRequirements(a: LabelRequirement, b: LabelRequirement): number {
  const [x, y] = [selectorText([a]), selectorText([b])];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** What somebody wrote, short enough for a status line. */
function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}
