import { fail, ok, type Result } from '../base/result.ts';
import { isRecord, readMeta } from './objects.ts';

/** One line of a watch (Kubernetes API concepts, "Efficient detection of changes"). */
type WatchEvent =
  | { readonly type: 'put' | 'gone'; readonly object: unknown; readonly resourceVersion: string }
  | { readonly type: 'bookmark'; readonly resourceVersion: string }
  /** The versions asked for are too old, or anything else that only a new list mends. */
  | { readonly type: 'error'; readonly status: number; readonly message: string };

/** Reads one line. */
export function readWatchEvent(line: string): Result<WatchEvent, 'malformed'> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return fail('malformed');
  }
  if (!isRecord(value) || !isRecord(value.object)) return fail('malformed');
  const { type, object } = value;
  if (type === 'ERROR') {
    const status = typeof object.code === 'number' ? object.code : 0;
    const message = typeof object.message === 'string' ? object.message.slice(0, 300) : 'no message';
    return ok({ type: 'error', status, message });
  }
  if (type === 'BOOKMARK') {
    const version = isRecord(object.metadata) ? object.metadata.resourceVersion : undefined;
    return typeof version === 'string'
      ? ok({ type: 'bookmark', resourceVersion: version })
      : fail('malformed');
  }
  const meta = readMeta(object);
  if (meta === undefined || (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED'))
    return fail('malformed');
  return ok({
    type: type === 'DELETED' ? 'gone' : 'put',
    object,
    resourceVersion: meta.resourceVersion,
  });
}
