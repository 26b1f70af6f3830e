import { type Instant, instant } from '../base/instant.ts';

/** The monotonic clock of this process. */
export function clock(): Instant {
  return instant(performance.now());
}
