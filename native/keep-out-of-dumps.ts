import { addon } from './addon.ts';

/**
 * From now on the kernel writes no core file of this process, whatever the limits and `core_pattern` say, and lets only
 * root look into its memory: keys lie there, in JavaScript's heap, in OpenSSL's memory and on stacks. False where the
 * kernel refused.
 */
export function keepOutOfDumps(): boolean {
  return addon().keepOutOfDumps() === 0;
}
