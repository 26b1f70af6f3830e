import fc from 'fast-check';
import type { Address } from '../../../base/address.ts';

/** Any address of either family. */
export const someAddress: fc.Arbitrary<Address> = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((value) => ({ family: 4 as const, value })),
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value) => ({ family: 6 as const, value })),
  // Groups that are often zero, which is what IPv6 text is about.
  fc
    .array(fc.oneof(fc.constant(0), fc.nat({ max: 0xffff })), { minLength: 8, maxLength: 8 })
    .map((groups) => ({
      family: 6 as const,
      value: groups.reduce((sum, each) => (sum << 16n) | BigInt(each), 0n),
    })),
);
