import type { PortProtocol } from '../../linux/policy-rules.ts';
import type { Protocol } from '../model/port-match.ts';

const NFT_PROTOCOL = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const;

/** Ports from `first` to `last`, both included. */
export interface PortSpan {
  readonly protocol: PortProtocol;
  readonly first: number;
  readonly last: number;
}

/** In order and disjoint; `any` means protocols without ports, too. */
export type PortSpans = 'any' | readonly PortSpan[];

/** As nft writes it; undefined where it is every port. */
export function portsText({ first, last }: PortSpan): string | undefined {
  if (first === 0 && last === 65_535) return undefined;
  return first === last ? `${first}` : `${first}-${last}`;
}

/** As a policy has it. */
export function spanOf(range: {
  readonly protocol: Protocol;
  readonly first: number;
  readonly last: number;
}): PortSpan {
  return { protocol: NFT_PROTOCOL[range.protocol], first: range.first, last: range.last };
}

/** Spans in order, joined where they overlap or touch. */
export function mergeSpans(spans: readonly PortSpan[]): readonly PortSpan[] {
  const merged: PortSpan[] = [];
  for (const span of [...spans].sort((a, b) => a.protocol.localeCompare(b.protocol) || a.first - b.first)) {
    const last = merged.at(-1);
    if (last === undefined || last.protocol !== span.protocol || last.last + 1 < span.first)
      merged.push(span);
    else if (last.last < span.last) merged[merged.length - 1] = { ...last, last: span.last };
  }
  return merged;
}

/** What lies in one of `a` and in one of `b`, in order. */
export function intersectSpans(a: PortSpans, b: PortSpans): PortSpans {
  if (a === 'any') return b;
  if (b === 'any') return a;
  const both = a.flatMap((one) =>
    b
      .filter(
        (other) => other.protocol === one.protocol && other.first <= one.last && one.first <= other.last,
      )
      .map((other) => ({
        protocol: one.protocol,
        first: Math.max(one.first, other.first),
        last: Math.min(one.last, other.last),
      })),
  );
  return mergeSpans(both);
}
