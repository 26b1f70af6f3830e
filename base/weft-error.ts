/**
 * A fault of the environment or of the user's settings: what is wrong, what to do, and a stable code.
 * Printed as one line: `weftd: <message>; <remedy>`.
 */
export class WeftError extends Error {
  override name = 'WeftError';
  /** Stable, upper-case, for programs: `E_SECRET_SHORT`, `E_PORT_TAKEN`. */
  readonly code: string;
  /** What the user can do about it, an imperative clause without a full stop. */
  readonly remedy: string;

  constructor(code: string, message: string, remedy: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
    this.remedy = remedy;
  }

  /** The whole fault as the one line a user reads. */
  get line(): string {
    return `${this.message}; ${this.remedy}`;
  }
}
