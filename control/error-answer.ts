import { WeftError } from '../base/weft-error.ts';
import type { ControlAnswer } from './control-protocol.ts';

/** The answer that tells of an error. What is no {@link WeftError} is a bug of ours and told as such. */
export function errorAnswer(error: unknown): ControlAnswer<never> {
  if (error instanceof WeftError) {
    const { code, message, remedy } = error;
    return { ok: false, error: { code, message, remedy } };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    ok: false,
    error: { code: 'E_BUG', message, remedy: "send the maintainers what 'weft report' prints" },
  };
}

/** What a client is told whose request could not be read. */
export function requestError(fault: string, program: string): WeftError {
  const message = `${program} does not understand this request (${fault})`;
  return new WeftError('E_BAD_REQUEST', message, 'use the weft of its version');
}
