import type { IncomingMessage, ServerResponse } from 'node:http';
import { WeftError } from '../base/weft-error.ts';
import { UI_ERRORS, type UiErrorCode } from './access/ui-errors.ts';

/** Bytes of a body: policies that somebody wants to try. */
const MAX_BODY_BYTES = 128 * 1024;

/** What a browser is told about every answer: what the page may load, and who may show it. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    // The one text that becomes a program: the address of the page's worker.
    'trusted-types weft-layout',
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  // Nothing of it is to lie about in a cache.
  'Cache-Control': 'no-store',
};

/** Why a request is not granted. */
export class UiError extends Error {
  readonly code: UiErrorCode;

  constructor(code: UiErrorCode) {
    super(UI_ERRORS[code][1]);
    this.code = code;
  }
}

/** Answers with JSON, or with nothing where there is no value. */
export function answerJson(response: ServerResponse, status: number, value?: object): void {
  if (value === undefined) {
    response.writeHead(status).end();
    return;
  }
  const bytes = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': bytes.length,
  });
  response.end(bytes);
}

/** Answers with an error: a {@link UiError}, or what weftd, weft-npc or the API said. Others are bugs, and told as such. */
export function answerError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error instanceof UiError) {
    const [status, message, remedy] = UI_ERRORS[error.code];
    answerJson(response, status, { error: { code: error.code, message, remedy } });
  } else if (error instanceof WeftError) {
    const { code, message, remedy } = error;
    const status = code === 'E_UI_TOKEN' ? 403 : 502;
    answerJson(response, status, { error: { code, message, remedy } });
  } else {
    const message = error instanceof Error ? error.message : String(error);
    answerJson(response, 500, { error: { code: 'E_BUG', message, remedy: 'report this fault' } });
  }
}

/** The object of JSON that a request brings. Rejects with E_UI_BODY and E_UI_LARGE. */
export async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new UiError('E_UI_LARGE');
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {}
  throw new UiError('E_UI_BODY');
}
