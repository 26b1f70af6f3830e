import { WeftError } from '../base/weft-error.ts';
import { bytesOfBase64, textOfBase64 } from './base64.ts';
import { isRecord } from './objects.ts';
import { labels } from './ring-object.ts';

/** The Secret that holds the cluster's secret, in Weft's namespace. */
export const SECRET_NAME = 'weft-secret';
/** Its entry. */
const SECRET_KEY = 'secret';

/** The object to be created, immutable: another secret means another cluster. `text` is one line. */
export function secretObject(namespace: string, text: string): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name: SECRET_NAME, namespace, labels: labels() },
    immutable: true,
    data: { [SECRET_KEY]: textOfBase64(new TextEncoder().encode(text)) },
  };
}

/** The text in the object. Throws E_SECRET_OBJECT where it holds none. Nothing of it is in the error. */
export function secretOf(object: unknown): string {
  const data = isRecord(object) && isRecord(object.data) ? object.data[SECRET_KEY] : undefined;
  const bytes = typeof data === 'string' ? bytesOfBase64(data) : undefined;
  if (bytes !== undefined && bytes.length > 0) return new TextDecoder().decode(bytes);
  throw new WeftError(
    'E_SECRET_OBJECT',
    `Secret ${SECRET_NAME} has no entry '${SECRET_KEY}'`,
    'delete it: a node that has a part in the ring puts the right one back, and without a ring it is made anew',
  );
}
