/**
 * A number of 32 bits that is the same for the same text everywhere: FNV-1a (Fowler, Noll, Vo) with the finaliser of
 * MurmurHash3. No protection against whoever looks for two texts with one number.
 */
export function textHash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
