import { assert } from '../base/assert.ts';

/**
 * How data packets are sealed. There is no suite that does not encrypt. Both are of the same strength; AES-GCM
 * is offered only by nodes that have it in hardware.
 */
export type Suite = 'chacha20-poly1305' | 'aes-256-gcm';

/** All suites, the preferred first: who offers AES-GCM has it in hardware, where it is the faster one. */
export const SUITES: readonly Suite[] = ['aes-256-gcm', 'chacha20-poly1305'];

/** What can be had wherever Node runs: libsodium has no AES-GCM in WebAssembly. */
export const PORTABLE_SUITES: readonly Suite[] = ['chacha20-poly1305'];

/** Suites of a cluster that sets no floor of its own: all. */
export const DEFAULT_FLOOR: readonly Suite[] = SUITES;

const SUITE_IDS: Record<Suite, number> = { 'chacha20-poly1305': 1, 'aes-256-gcm': 2 };

/** The suite's number on the wire, a u8 of 1 to 8. Never reused for another suite. */
export function suiteId(suite: Suite): number {
  return SUITE_IDS[suite];
}

/** The suite of a number from the wire, or undefined. */
export function suiteFromId(id: number): Suite | undefined {
  return SUITES.find((suite) => SUITE_IDS[suite] === id);
}

/** A set of suites as a u8: bit (id − 1) stands for the suite with that number. */
export function suiteBitmap(suites: readonly Suite[]): number {
  let bits = 0;
  for (const suite of suites) bits |= 1 << (SUITE_IDS[suite] - 1);
  return bits;
}

/** The known suites in a bitmap, the preferred first. Bits we do not know are a newer peer's and ignored. */
export function suitesOf(bitmap: number): Suite[] {
  return SUITES.filter((suite) => (bitmap & (1 << (SUITE_IDS[suite] - 1))) !== 0);
}

/**
 * The suite two nodes use: the preferred one of those that both have and that the cluster's `floor` permits;
 * undefined where there is none, and then there is no session. All three are bitmaps, and the result is the
 * same from either side. The offers travel inside the handshake, so nobody on the way can thin them out.
 */
export function chooseSuite(local: number, remote: number, floor: number): Suite | undefined {
  return suitesOf(local & remote & floor)[0];
}

assert(new Set(Object.values(SUITE_IDS)).size === SUITES.length, 'suites have numbers of their own');
assert(
  Object.values(SUITE_IDS).every((id) => id >= 1 && id <= 8),
  'a bitmap of suites fits a byte',
);
