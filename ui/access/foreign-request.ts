/** What of a request says where it comes from. */
export interface RequestOrigin {
  readonly method: string;
  readonly path: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Sec-Fetch-Site and Sec-Fetch-Mode: what a browser says of the page that asks. */
  readonly site: string | undefined;
  readonly mode: string | undefined;
  readonly contentType: string | undefined;
}

type ForeignRequest = 'E_UI_HOST' | 'E_UI_ORIGIN' | 'E_UI_SITE' | 'E_UI_TYPE';

/** Names under which a browser reaches a loopback address; the port is whatever a port-forward made of it. */
const LOOPBACK_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/;

/**
 * Why a request is not answered, for where it comes from; undefined where it may be.
 *
 * A page of another origin can make a browser send requests here. One that has its own name lead to 127.0.0.1 (DNS rebinding)
 * is told by `Host`, which is that name then. Others are told by `Origin` and `Sec-Fetch-Site`, which no page can change; a
 * program that is no browser sends neither, and needs a session like everybody. What changes something must be JSON, which a
 * form of another origin cannot send without asking first.
 */
export function foreignRequest(request: RequestOrigin): ForeignRequest | undefined {
  const { method, path, host, origin, site, mode, contentType } = request;
  if (host === undefined || !LOOPBACK_HOST.test(host)) return 'E_UI_HOST';
  if (origin !== undefined && origin !== `http://${host}`) return 'E_UI_ORIGIN';
  const isOpened = path === '/' && method === 'GET' && mode === 'navigate';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isOpened) return 'E_UI_SITE';
  if (method === 'POST' && !/^application\/json\s*(;|$)/i.test(contentType ?? '')) return 'E_UI_TYPE';
  return undefined;
}
