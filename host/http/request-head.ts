/** The first line of a request, as far as whoever answers it cares. */
interface RequestHead {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
}

/** What the bytes of a connection are so far. */
type HeadReading = RequestHead | 'incomplete' | 'malformed' | 'too-long';

/** A probe or a scrape sends some 300 bytes. */
const MAX_HEAD_LENGTH = 4_096;
/** RFC 9112 §3: a method, an origin-form target, a version. */
const REQUEST_LINE = /^([A-Z]{1,16}) (\/[!-~]*) HTTP\/1\.[01]$/;

/**
 * Reads the head of a request of HTTP/1.0 or 1.1 (RFC 9112): all up to the first empty line. Fields are not looked at, and
 * a body is not waited for: what can be asked here needs neither.
 *
 * @param text what came so far, a character a byte.
 */
export function readRequestHead(text: string): HeadReading {
  const end = /\r?\n\r?\n/.exec(text)?.index;
  if (end === undefined) return text.length > MAX_HEAD_LENGTH ? 'too-long' : 'incomplete';
  if (end > MAX_HEAD_LENGTH) return 'too-long';
  const [line = ''] = text.split(/\r?\n/, 1);
  const [, method, target] = REQUEST_LINE.exec(line) ?? [];
  if (method === undefined || target === undefined) return 'malformed';
  return { method, path: target.split('?', 1)[0]! };
}
