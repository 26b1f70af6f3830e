/** What the API server answered where it did not grant a request, or why there was no answer. */
export class ApiError extends Error {
  override name = 'ApiError';
  /** HTTP status; 0 where no answer came. */
  readonly status: number;
  /** `reason` of the Status object: `Forbidden`, `AlreadyExists`, `Expired`; or a word of our own where none came. */
  readonly reason: string;
  /** The server asks to be left alone for so long (Retry-After). Milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    reason: string,
    message: string,
    options: { readonly retryAfterMs?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Reason of a failure: the server's certificate is none of the cluster's authority. */
export const UNTRUSTED = 'Untrusted';

/** Longest wait that a server's Retry-After may impose. */
const MAX_RETRY_AFTER_MS = 120_000;

/** Characters of a server's message that are shown. */
const MAX_MESSAGE = 300;

/** Reads the body of an answer that is no success; it may be anything. */
export function errorOf(status: number, body: unknown, retryAfter: string | undefined): ApiError {
  const { reason, message } = (typeof body === 'object' && body !== null ? body : {}) as {
    readonly reason?: unknown;
    readonly message?: unknown;
  };
  const text = typeof message === 'string' ? message.slice(0, MAX_MESSAGE) : `HTTP status ${status}`;
  const word = typeof reason === 'string' && /^[A-Za-z]{1,40}$/.test(reason) ? reason : `Status${status}`;
  return new ApiError(status, word, text, { retryAfterMs: retryAfterMs(retryAfter) });
}

function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,6}$/.test(header)) return undefined;
  return Math.min(Number(header) * 1000, MAX_RETRY_AFTER_MS);
}
