/**
 * FNV-1a of 64 bits (Fowler, Noll, Vo) with the finaliser of MurmurHash3, which spreads the last characters over
 * all bits. Not for anything that an adversary may choose: container ids are the runtime's random numbers.
 */
export function keyHash(text: string): bigint {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  }
  value = BigInt.asUintN(64, (value ^ (value >> 33n)) * 0xff51afd7ed558ccdn);
  value = BigInt.asUintN(64, (value ^ (value >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return value ^ (value >> 33n);
}
