import { setTimeout as delay } from 'node:timers/promises';
import type { RandomSource } from '../base/random.ts';
import { ApiError } from './api-error.ts';
import { Backoff } from './backoff.ts';

/**
 * Tries `act` until the API grants it, ever more rarely, and resolves with what it gave; with undefined once `signal`
 * has aborted. `onFault` is told of each refusal. Rejects with what is no {@link ApiError}.
 */
export async function untilGranted<T>(
  act: () => Promise<T>,
  options: {
    readonly random: RandomSource;
    readonly onFault: (error: ApiError) => void;
    readonly signal: AbortSignal;
  },
): Promise<T | undefined> {
  const { random, onFault, signal } = options;
  const backoff = new Backoff(random);
  while (!signal.aborted) {
    try {
      return await act();
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof ApiError)) throw error;
      onFault(error);
      await delay(backoff.next(error.retryAfterMs), undefined, { signal }).catch(() => {});
    }
  }
  return undefined;
}
