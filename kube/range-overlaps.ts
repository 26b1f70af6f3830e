import { parseAddress } from '../base/address.ts';
import { formatRange, intersectRanges, parseCidr, type Range, rangeContains } from '../base/range.ts';
import { type Warning, warningLine, warningOf } from '../base/warning.ts';
import { WeftError } from '../base/weft-error.ts';
import { KUBE_WARNINGS } from './kube-warnings.ts';
import type { KubeNode, ServiceCidr } from './objects.ts';

/** A pod range that holds what the cluster uses for something else; all in words for the user. */
export interface RangeOverlap {
  readonly range: string;
  readonly used: string;
  readonly remedy: string;
}

/**
 * Refuses a pod range in which the API itself is: its Service would be taken for a pod. `host` is
 * KUBERNETES_SERVICE_HOST; a name says nothing.
 * @throws WeftError E_RANGE_OVERLAP
 */
export function refuseApiOverlap(ranges: readonly Range[], host: string | undefined): void {
  const address = parseAddress(host ?? '');
  const range = address && ranges.find((each) => rangeContains(each, address));
  if (range === undefined) return;
  const message = `the pod range ${formatRange(range)} holds ${host}, the address of the API of Kubernetes`;
  throw new WeftError('E_RANGE_OVERLAP', message, `choose another range with ${variableOf(range)}`);
}

/**
 * Where the cluster uses a part of the pod ranges for Services or for nodes, as far as the API said. What is sent to a
 * pod there kube-proxy drops or hands to a Service; a node there cannot be reached from the others.
 */
export class RangeOverlaps {
  readonly #ranges: readonly Range[];
  #services: readonly RangeOverlap[] = [];
  #nodes: readonly RangeOverlap[] = [];

  constructor(ranges: readonly Range[]) {
    this.#ranges = ranges;
  }

  /** Takes the ranges of Services as they are now. Answers the overlaps that were not known. */
  takeServices(found: readonly ServiceCidr[]): RangeOverlap[] {
    const before = this.#services;
    this.#services = this.#ranges.flatMap((range) =>
      found.flatMap(({ cidrs }) =>
        cidrs.flatMap((text) => {
          const used = parseCidr(text);
          if (used === undefined || intersectRanges(range, used) === undefined) return [];
          return overlap(range, `the range ${formatRange(used)} of Services`);
        }),
      ),
    );
    return newOf(this.#services, before);
  }

  /** Takes nodes as they are now, of which one is named for each range. Answers the overlaps that were not known. */
  takeNodes(found: readonly KubeNode[]): RangeOverlap[] {
    const before = this.#nodes;
    this.#nodes = this.#ranges.flatMap((range) => {
      const inside = found.flatMap(({ name, internalIps }) => {
        const address = internalIps.find((text) => isIn(range, text));
        return address === undefined ? [] : `the address ${address} of node ${name}`;
      });
      if (inside.length === 0) return [];
      const more = inside.length > 1 ? ` and ${inside.length - 1} more` : '';
      return overlap(range, `${inside[0]}${more}`);
    });
    return newOf(this.#nodes, before);
  }

  /** One warning for each: the range, what it overlaps, what to do. */
  warnings(): Warning[] {
    return [...this.#services, ...this.#nodes].map(({ range, used }) => warningOfOverlap(range, used));
  }

  /** The same, one line each. */
  lines(): string[] {
    return this.warnings().map(warningLine);
  }
}

function isIn(range: Range, text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && rangeContains(range, address);
}

function overlap(range: Range, used: string): RangeOverlap {
  const text = formatRange(range);
  return { range: text, used, remedy: warningOfOverlap(text, used).remedy };
}

function warningOfOverlap(range: string, used: string): Warning {
  const variable = variableOf({ family: range.includes(':') ? 6 : 4 });
  return warningOf(KUBE_WARNINGS, 'E_RANGE_OVERLAP', { range, used, variable });
}

function newOf(now: readonly RangeOverlap[], before: readonly RangeOverlap[]): RangeOverlap[] {
  return now.filter(
    ({ range, used }) => !before.some((known) => known.range === range && known.used === used),
  );
}

function variableOf({ family }: Pick<Range, 'family'>): string {
  return family === 4 ? 'IPALLOC_RANGE' : 'IPALLOC_RANGE6';
}
